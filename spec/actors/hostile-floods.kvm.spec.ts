/** Guests that ask for the same thing without end: the log says it a bounded number of times, and others get on. */
import assert from "node:assert/strict";
import { machines, smallGuest } from "../support/machines.js";
import type { Running } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { little32, outb, tinyGuest } from "../support/tiny-guest.js";

const COM1 = 0x3f8;
/** How soon a machine is paused or stopped, in ms. */
const PROMPT_MS = 500;
/** xen/include/public/xen.h, event_channel.h, vcpu.h. */
const EVENT_CHANNEL_OP = 32;
const EVTCHNOP_SEND = 4;
const VCPU_OP = 24;
const [VCPUOP_UP, VCPUOP_DOWN] = [1, 2];
/** Where the guests have their arguments. */
const ARGUMENT = 0x20_0000;
/** [SDM] volume 3, figure 11-12: to all but oneself, level asserted; INIT, and SIPI to 0x8000. */
const [INIT, SIPI] = [0xc_4500, 0xc_4608];
const ICR = 0xfee0_0300;
/** Where processors start, and count up for as long as they run. */
const [STARTED_AT, COUNTER] = [0x8000, 0x9000];

const mov = {
  eax: (value: number) => [0xb8, ...little32(value)],
  ebx: (value: number) => [0xbb, ...little32(value)],
  ecx: (value: number) => [0xb9, ...little32(value)],
  edx: (value: number) => [0xba, ...little32(value)],
  esi: (value: number) => [0xbe, ...little32(value)],
  /** mov dword [at], value */
  memory: (at: number, value: number) => [0xc7, 0x05, ...little32(at), ...little32(value)],
};

/** By the port that the userspace transport has for it: `out 0xe6, eax`. */
function hypercall(number: number, first: number, second: number): readonly number[] {
  return [...mov.ebx(first), ...mov.ecx(second), ...mov.edx(0), ...mov.eax(number), 0xe7, 0xe6];
}

/** `body` so many times, with what is left in esi; then `after`; and all over again. */
function forever(times: number, body: readonly number[], after: readonly number[]): readonly number[] {
  // dec esi; jnz body
  const group = [...mov.esi(times), ...body, 0x4e, 0x75, 0xfd - body.length, ...after];
  return [...group, 0xe9, ...little32(-group.length - 5)];
}

async function timed(work: Promise<void>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

describe("A guest that asks without end", function () {
  this.timeout(120_000);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "hello.elf");
  });

  async function started(name: string, code: readonly number[], vcpus = 1): Promise<Running> {
    const kernel = folder.file(`${name}.elf`, tinyGuest([0xfa, ...code]));
    const running = await create(smallGuest("", { boot: { kernel }, vcpus: { count: vcpus } }));
    await running.machine.start();
    return running;
  }

  /** Another machine lives its life meanwhile; then this one is paused, goes on, and is stopped. */
  async function assertOthersGetOn({ machine, text, waitFor }: Running): Promise<void> {
    const other = await create(smallGuest("hello.elf"));
    await other.machine.start();
    assert.deepEqual(await other.machine.ended, { kind: "poweroff" });
    assert((await timed(machine.pause())) < PROMPT_MS);
    const before = text("serial0");
    await machine.resume();
    await waitFor("serial0", before + before.slice(0, 1));
    assert((await timed(machine.stop())) < PROMPT_MS);
  }

  it("for a hypercall that there is not has one line in the log for 20,000 of them (H23)", async () => {
    const running = await started("flood", forever(2000, hypercall(55, 0, 0), outb(COM1, 0x41)));
    await running.waitFor("serial0", "A".repeat(10));
    assert.deepEqual(
      running.log.filter(({ level }) => level === "warn").map(({ message }) => message),
      ["Unknown hypercall 55"],
    );
    await assertOthersGetOn(running);
  });

  it("for 2,000 hypercalls that there are not, each of another number, has 64 lines in the log (H23)", async () => {
    // lea eax, [esi + 1000]; out 0xe6, eax
    const any = [0x8d, 0x86, ...little32(1000), 0xe7, 0xe6];
    const running = await started("numbers", forever(2000, any, outb(COM1, 0x41)));
    await running.waitFor("serial0", "A");
    assert.equal(running.log.filter(({ message }) => message.startsWith("Unknown hypercall")).length, 64);
    await assertOthersGetOn(running);
  });

  it("by events to the store, which has nothing to do, 20,000 times, has no line in the log (E12)", async () => {
    // The store's is the first port: mov dword [argument], 1. Then the last result as a digit: add al, "0"; out.
    const tell = [0x04, 0x30, 0x66, 0xba, 0xf8, 0x03, 0xee];
    const send = hypercall(EVENT_CHANNEL_OP, EVTCHNOP_SEND, ARGUMENT);
    const running = await started("events", [...mov.memory(ARGUMENT, 1), ...forever(2000, send, tell)]);
    await running.waitFor("serial0", "0".repeat(10));
    assert.deepEqual(
      running.log.filter(({ level }) => level === "warn" || level === "error"),
      [],
    );
    await assertOthersGetOn(running);
  });

  it("for its other processors to go down, be reset and start has them run in the end, each time (V6)", async () => {
    const storm = [
      ...hypercall(VCPU_OP, VCPUOP_DOWN, 1),
      ...mov.memory(ICR, INIT),
      ...hypercall(VCPU_OP, VCPUOP_UP, 1),
      ...mov.memory(ICR, SIPI),
    ];
    const afterwards = [
      ...mov.memory(ICR, INIT),
      ...mov.memory(ICR, SIPI),
      // mov dword [counter], 0; wait: cmp byte [counter], 0; je wait
      ...mov.memory(COUNTER, 0),
      ...[0x80, 0x3d, ...little32(COUNTER), 0, 0x74, 0xf7],
      ...outb(COM1, 0x41),
    ];
    // 16-bit code: inc byte [counter]; jmp back to it
    const code = [...mov.memory(STARTED_AT, 0x9000_06fe), ...mov.memory(STARTED_AT + 4, 0xfaeb)];
    const running = await started("storm", [...code, ...forever(20, storm, afterwards)], 3);
    const { machine, waitFor, log } = running;
    await waitFor("serial0", "A".repeat(10));
    await machine.pause();
    assert.match(await machine.describeVcpus(), /vCPU 2:/);
    await machine.reset();
    await machine.resume();
    await waitFor("serial0", "A".repeat(13));
    await assertOthersGetOn(running);
    assert.deepEqual(
      log.filter(({ level }) => level === "warn" || level === "error"),
      [],
    );
  });
});
