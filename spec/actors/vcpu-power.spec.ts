/** A vCPU's thread between KVM's run states (KVM_MP_STATE_*, <linux/kvm.h>) and those of vcpu_op. */
import assert from "node:assert/strict";
import { vcpuId } from "../../shared/brand.js";
import { VcpuPower } from "../../actors/vcpu-power.js";
import { kvmRegs, kvmSregs } from "../../actors/host/kvm-abi.js";
import type { Vcpu } from "../../actors/host/vcpu.js";
import { ARGUMENT, Guest } from "../xen/guest.js";

const RUNNABLE = 0;
const UNINITIALIZED = 1;
const INIT_RECEIVED = 2;
const HALTED = 3;
const vcpu1 = vcpuId(1);
// public/vcpu.h: RUNSTATE_offline.
const OFFLINE = 3;

class Fixture {
  state = UNINITIALIZED;
  takesRegisters = true;
  readonly done: string[] = [];
  readonly guest = new Guest();
  readonly states = this.guest.xen.vcpuStates;
  readonly regs = kvmRegs.view(new SharedArrayBuffer(kvmRegs.size));
  readonly sregs = kvmSregs.view(new SharedArrayBuffer(kvmSregs.size));
  readonly power: VcpuPower;

  constructor() {
    const vcpu = {
      getMpState: () => this.state,
      setMpState: (state: number) => (this.state = state),
      fetchRegs: () => this.regs,
      storeRegs: () => this.done.push("regs"),
      fetchSregs: () => this.sregs,
      tryStoreSregs: () => this.takesRegisters,
    } as unknown as Vcpu;
    const host = { finishExit: () => this.done.push("finish"), renewed: () => this.done.push("renewed") };
    this.power = new VcpuPower(vcpu1, { vcpu, domain: this.guest.xen, host });
  }

  /** VCPUOP_get_runstate_info. */
  runstate(): number {
    assert.equal(this.guest.call(24, 4, 1, ARGUMENT), 0);
    return this.guest.out(0);
  }
}

/** One that SIPI has started. */
function started(): Fixture {
  const fixture = new Fixture();
  fixture.state = RUNNABLE;
  assert.equal(fixture.power.settle(), undefined);
  return fixture;
}

describe("VcpuPower", () => {
  it("takes note of INIT and of SIPI", () => {
    const fixture = new Fixture();
    fixture.state = INIT_RECEIVED;
    fixture.power.settle();
    assert(!fixture.states.isUp(vcpu1));
    fixture.state = RUNNABLE;
    fixture.power.settle();
    assert(fixture.states.isUp(vcpu1));
    assert.equal(fixture.runstate(), 0);
  });

  it("takes note of an INIT after another, when only a hypercall has told of the SIPI between", () => {
    const fixture = new Fixture();
    fixture.state = INIT_RECEIVED;
    fixture.power.settle();
    fixture.guest.xen.vcpuStarted(vcpu1);
    assert(fixture.states.isUp(vcpu1));
    fixture.power.settle();
    assert(!fixture.states.isUp(vcpu1));
    assert.deepEqual(fixture.done, ["renewed", "renewed"]);
    fixture.power.settle();
    assert.equal(fixture.done.length, 2, "it is one INIT");
  });

  it("parks a vCPU that is down, after its instruction, and lets it go on as it was", () => {
    for (const before of [RUNNABLE, HALTED]) {
      const fixture = started();
      fixture.state = before;
      fixture.states.takeDown(vcpu1);
      fixture.power.settle();
      assert.deepEqual(fixture.done, ["finish"]);
      assert.deepEqual([fixture.state, fixture.power.parked, fixture.runstate()], [UNINITIALIZED, true, OFFLINE]);
      fixture.power.settle();
      assert.equal(fixture.done.length, 1);
      fixture.states.bringUp(vcpu1);
      fixture.power.settle();
      assert.deepEqual([fixture.state, fixture.power.parked], [before, false]);
    }
  });

  it("tells of a halt with interrupts closed, and of one with interrupts open nothing", () => {
    const fixture = started();
    fixture.state = HALTED;
    fixture.regs.rflags = 0x202n;
    fixture.power.settle();
    assert(fixture.states.runs(vcpu1));
    fixture.regs.rflags = 0x2n;
    fixture.power.settle();
    assert(fixture.states.isUp(vcpu1) && !fixture.states.runs(vcpu1));
    fixture.state = RUNNABLE;
    fixture.power.settle();
    assert(fixture.states.runs(vcpu1));
  });

  it("does nothing when a vCPU is down and up again before its thread looks", () => {
    const fixture = started();
    fixture.states.takeDown(vcpu1);
    fixture.states.bringUp(vcpu1);
    fixture.power.settle();
    assert.deepEqual([fixture.done, fixture.state], [[], RUNNABLE]);
  });

  it("forgets that a vCPU is down when INIT comes", () => {
    const fixture = started();
    fixture.states.takeDown(vcpu1);
    fixture.power.settle();
    fixture.state = INIT_RECEIVED;
    fixture.power.settle();
    assert(!fixture.states.isInitialised(vcpu1));
    assert(!fixture.power.parked);
    fixture.state = RUNNABLE;
    fixture.power.settle();
    assert(fixture.states.isUp(vcpu1));
  });

  it("sees INIT and SIPI that came together", () => {
    const fixture = started();
    fixture.states.takeDown(vcpu1);
    fixture.power.settle();
    fixture.state = RUNNABLE;
    fixture.power.settle();
    assert(fixture.states.isUp(vcpu1));
    assert(!fixture.power.parked);
  });

  it("gives a vCPU its registers and keeps it from SIPI until it is up", () => {
    const fixture = new Fixture();
    fixture.state = INIT_RECEIVED;
    fixture.power.settle();
    const registers = new Uint8Array(120);
    const view = new DataView(registers.buffer);
    view.setBigUint64(64, 0x1234n, true); // rip
    view.setUint32(80, 0x8000_0001, true); // cr0
    view.setUint32(96, 0x20, true); // cr4
    view.setUint32(104, 0x100, true); // efer
    fixture.states.initialise(vcpu1, { mode: 1, pad: 0, registers });
    assert.equal(fixture.power.settle(), undefined);
    assert.deepEqual([fixture.regs.rip, fixture.sregs.cr4, fixture.sregs.efer], [0x1234n, 0x20, 0x500]);
    assert.deepEqual([fixture.state, fixture.power.parked], [UNINITIALIZED, true]);
    fixture.states.bringUp(vcpu1);
    fixture.power.settle();
    assert.equal(fixture.state, RUNNABLE);
  });

  it("ends the guest when KVM does not take the registers", () => {
    const fixture = new Fixture();
    fixture.takesRegisters = false;
    const registers = new Uint8Array(120);
    fixture.states.initialise(vcpu1, { mode: 1, pad: 0, registers });
    assert.match(fixture.power.settle() ?? "", /VCPUOP_initialise/);
  });
});
