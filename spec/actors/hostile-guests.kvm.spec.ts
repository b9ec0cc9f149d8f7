/** Guests that go nowhere, in a few bytes of code: the machine ends with a report, or still does what it is told. */
import assert from "node:assert/strict";
import { machines, smallGuest } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { HALT, little32, tinyGuest } from "../support/tiny-guest.js";

/** Where no memory is, and no chip. */
const NOWHERE = 0xd000_0000;
const VMCALL = [0x0f, 0x01, 0xc1];
const VMMCALL = [0x0f, 0x01, 0xd9];
/** How soon a machine is paused or stopped, in ms; a list of all memory takes seconds. */
const PROMPT_MS = 500;

/** `cli`, then a multicall of `count` entries from 2 MiB on: 32 bytes each, of zeros, which no hypercall answers. */
function multicall(count: number): readonly number[] {
  // mov eax, 13; mov ebx, 0x200000; mov ecx, count; out 0xe6, eax
  return [0xfa, 0xb8, 13, 0, 0, 0, 0xbb, 0, 0, 0x20, 0, 0xb9, ...little32(count), 0xe7, 0xe6];
}

describe("A guest that goes nowhere", function () {
  this.timeout(60_000);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this);
  });

  function started(name: string, code: readonly number[]): ReturnType<typeof create> {
    return create(smallGuest("", { boot: { kernel: folder.file(`${name}.elf`, tinyGuest(code)) } }));
  }

  it("by running where no memory is ends with the registers in a report (V2)", async () => {
    // cli; mov eax, NOWHERE; jmp eax
    const { machine } = await started("nowhere", [0xfa, 0xb8, 0, 0, 0, NOWHERE >>> 24, 0xff, 0xe0]);
    await machine.start();
    const end = await machine.ended;
    assert(end.kind === "crash");
    assert.match(end.report, /^KVM internal error 1 \(.*\)\nvCPU 0:\n {2}rip 00000000d0000000/);
  });

  /** [what it does, its code, a jump back to its start at the end] */
  for (const [what, code] of [
    ["halting with interrupts off (V3)", HALT],
    ["calling a hypervisor by vmcall for ever, whatever answers (V4)", [0xfa, ...VMCALL, 0xeb, 0xfb]],
    ["calling a hypervisor by vmmcall for ever, whatever answers (V4)", [0xfa, ...VMMCALL, 0xeb, 0xfb]],
  ] as const) {
    it(`by ${what} can be looked at, goes on, and stops`, async () => {
      const { machine } = await started("spins", code);
      await machine.start();
      await machine.pause();
      assert.match(await machine.describeVcpus(), /^vCPU 0:\n {2}rip 000000000010000/);
      await machine.resume();
      assert.equal(machine.status(), "running");
      await machine.stop();
      assert.deepEqual(await machine.ended, { kind: "stopped" });
    });
  }

  async function timed(work: Promise<void>): Promise<number> {
    const start = performance.now();
    await work;
    return performance.now() - start;
  }

  it("by a multicall of 2^32-1 entries, again and again, is paused and stopped promptly (H21)", async () => {
    const call = multicall(0xffff_ffff);
    const { machine } = await started("multicalls", [...call, 0xeb, 0xfe - call.length]);
    await machine.start();
    // The device actor may still load its code.
    await machine.pause();
    await machine.resume();
    for (let round = 0; round < 5; round++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert((await timed(machine.pause())) < PROMPT_MS);
      assert.match(await machine.describeVcpus(), /^vCPU 0:\n {2}rip 00000000001000/);
      await machine.resume();
    }
    assert((await timed(machine.stop())) < PROMPT_MS);
  });

  it("for seconds, in one multicall, comes to the call's end though it is paused meanwhile (H21)", async () => {
    // add al, "0"; mov dx, 0x3f8; out dx, al
    const tell = [0x04, 0x30, 0x66, 0xba, 0xf8, 0x03, 0xee];
    const { machine, text } = await started("multicall", [...multicall(500_000), ...tell, ...HALT]);
    await machine.start();
    let pauses = 0;
    while (text("serial0") === "") {
      await machine.pause();
      pauses++;
      await machine.resume();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(text("serial0"), "0");
    assert(pauses > 3, `${pauses} pauses`);
  });
});
