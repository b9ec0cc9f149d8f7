/** What goes into a vCPU past its local APIC, with a real 8259 pair and real deadlines; the processor is a record of calls. */
import assert from "node:assert/strict";
import { Deadlines, upcallDeadline } from "../../actors/deadlines.js";
import type { Vcpu } from "../../actors/host/vcpu.js";
import type { MachineThread } from "../../actors/thread.js";
import { VcpuInterrupts } from "../../actors/vcpu-interrupts.js";
import { I8259 } from "../../devices/i8259.js";
import { vcpuId } from "../../shared/brand.js";
import { driveRanges, runSteps, smallArena } from "../devices/port-driver.js";

const VCPUS = 2;
const vcpu1 = vcpuId(1);
const CALLBACK_VECTOR = 0xf3;
/** Microseconds of {@link UpcallRetry}. */
const FIRST_WAIT = 200;

class Fixture {
  /** EFLAGS.IF, and that the guest could take an interrupt at once. */
  open = true;
  /** evtchn_upcall_pending. */
  pending = false;
  /** The guest has a vector of this vCPU's own; its local APIC takes it. */
  own = false;
  apicOn = true;
  readonly told: string[] = [];
  readonly run = { requestInterruptWindow: false, readyForInterrupt: false, interruptsEnabled: false };
  readonly i8259 = new I8259(smallArena(), { intr: () => undefined });
  readonly interrupts: VcpuInterrupts;
  readonly #deadlines = new Deadlines(smallArena(), 16, () => undefined);

  constructor(kind: "userspace" | "kernel" = "userspace") {
    this.#deadlines.reset();
    this.i8259.reset();
    // Vectors 0x30 to 0x3f, all lines open
    const words = [
      [0x11, 0x30, 4, 1, 0],
      [0x11, 0x38, 2, 1, 0],
    ] as const;
    const ports = driveRanges(this.i8259.ports);
    words.forEach(([icw1, ...rest], chip) => {
      const base = [0x20, 0xa0][chip] ?? 0;
      runSteps(ports, [["out", base, 1, icw1], ...rest.map((word) => ["out", base + 1, 1, word] as const)]);
    });
    const vcpu = {
      run: this.run,
      interrupt: (vector: number) => this.told.push(`8259 ${vector.toString(16)}`),
      injectPastLapic: (vector: number) => this.told.push(`upcall ${vector.toString(16)}`) > 0,
    } as unknown as Vcpu;
    const delivery = {
      upcallVector: () => (this.pending && !this.own ? CALLBACK_VECTOR : 0),
      upcallByOwnVector: () => {
        if (!this.own || !this.pending) return true;
        if (this.apicOn) this.told.push("own vector");
        return this.apicOn;
      },
    };
    const thread = {
      board: { i8259: this.i8259 },
      clock: { nowNs: () => 0 },
      config: { vcpus: { count: VCPUS } },
      deadlines: this.#deadlines,
      parts: { transport: { kind } },
      xen: { domain: { delivery } },
    } as unknown as MachineThread;
    this.interrupts = new VcpuInterrupts(thread, vcpu1, vcpu);
  }

  /** On the way into the guest: what it is told then. */
  enter(): readonly string[] {
    this.run.readyForInterrupt = this.open;
    this.run.interruptsEnabled = this.open;
    if (this.interrupts.wait) this.interrupts.inject();
    return this.told.splice(0);
  }

  /** Microseconds until this vCPU is looked at again. */
  get againIn(): number {
    return this.#deadlines.get(upcallDeadline(vcpu1, VCPUS)) / 1000;
  }
}

describe("VcpuInterrupts", () => {
  it("have nothing to do on most entries", () => {
    assert.equal(new Fixture().interrupts.wait, false);
  });

  it("wait for a window when the 8259 pair has an interrupt and the guest takes none ([8259A] INTR)", () => {
    const fixture = new Fixture();
    fixture.open = false;
    fixture.i8259.set(4, 1);
    fixture.interrupts.awaitExtInt();
    assert.deepEqual([fixture.enter(), fixture.run.requestInterruptWindow], [[], true]);
    fixture.open = true;
    assert.deepEqual([fixture.enter(), fixture.run.requestInterruptWindow], [["8259 34"], false]);
    assert.equal(fixture.interrupts.wait, false);
  });

  it("let go of an interrupt that the 8259 pair has withdrawn", () => {
    const fixture = new Fixture();
    fixture.interrupts.awaitExtInt();
    assert.deepEqual([fixture.enter(), fixture.interrupts.wait], [[], false]);
  });

  it("tell of events by the global vector as soon as interrupts are open, and look again until then", () => {
    const fixture = new Fixture();
    fixture.pending = true;
    fixture.open = false;
    fixture.interrupts.awaitUpcall();
    assert.deepEqual([fixture.enter(), fixture.againIn], [[], FIRST_WAIT]);
    fixture.interrupts.awaitUpcall();
    assert.deepEqual([fixture.enter(), fixture.againIn], [[], 2 * FIRST_WAIT]);
    fixture.open = true;
    assert.deepEqual([fixture.enter(), fixture.againIn, fixture.interrupts.wait], [["upcall f3"], Infinity, false]);
  });

  it("tell of events by a vCPU's own vector as soon as its local APIC is on", () => {
    const fixture = new Fixture();
    fixture.pending = true;
    fixture.own = true;
    fixture.apicOn = false;
    fixture.interrupts.awaitUpcall();
    assert.deepEqual([fixture.enter(), fixture.againIn], [[], FIRST_WAIT]);
    fixture.apicOn = true;
    assert.deepEqual([fixture.enter(), fixture.againIn], [["own vector"], Infinity]);
  });

  it("leave the global vector to a KVM that looks at vcpu_info itself", () => {
    const fixture = new Fixture("kernel");
    fixture.pending = true;
    fixture.interrupts.awaitUpcall();
    assert.deepEqual([fixture.enter(), fixture.interrupts.wait], [[], false]);
  });

  it("keep the 8259 pair's interrupt over a soft reset, and nothing over a power-on", () => {
    const fixture = new Fixture();
    fixture.open = false;
    fixture.i8259.set(4, 1);
    fixture.pending = true;
    fixture.interrupts.awaitExtInt();
    fixture.interrupts.awaitUpcall();
    fixture.interrupts.softReset();
    fixture.open = true;
    assert.deepEqual(fixture.enter(), ["8259 34"]);
    fixture.interrupts.awaitExtInt();
    fixture.interrupts.awaitUpcall();
    fixture.interrupts.reset();
    assert.equal(fixture.interrupts.wait, false);
  });
});
