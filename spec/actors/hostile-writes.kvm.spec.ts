/** Guests that write where they may not, or over the end of what they have: nothing comes of it but what hardware does. */
import assert from "node:assert/strict";
import { machines, smallGuest } from "../support/machines.js";
import type { Running } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { HALT, little32, outb, tinyGuest } from "../support/tiny-guest.js";

const COM1 = 0x3f8;
/** How soon a machine is paused or stopped, in ms. */
const PROMPT_MS = 500;
/** Memory of a small guest ends here; no chip is behind it. */
const RAM_END = 32 * 1024 * 1024;
/** Nobody has this port. */
const NOBODY = 0x1234;
/** The last page below 4 GiB is ROM: the reset vector's. */
const [ROM, RESET_VECTOR] = [0xffff_f000, 0xffff_fff0];
/** Some page of memory. */
const PAGE = 0x30_0000;
const HYPERCALL_MSR = 0x4000_0000;
/** xen.h: XENVER_version, which answers 4.10 to a guest of these specs; 32 bytes a stub. */
const XEN_VERSION = 17;
const STUB = PAGE + 32 * XEN_VERSION;

const mov = {
  eax: (value: number) => [0xb8, ...little32(value)],
  ecx: (value: number) => [0xb9, ...little32(value)],
  edx: (value: number) => [0xba, ...little32(value)],
  edi: (value: number) => [0xbf, ...little32(value)],
  esi: (value: number) => [0xbe, ...little32(value)],
};
const [CLD, STD, REP] = [0xfc, 0xfd, 0xf3];

/** mov al, [at]; mov dx, COM1; out dx, al */
function tell(at: number): readonly number[] {
  return [0xa0, ...little32(at), 0x66, 0xba, COM1 & 0xff, COM1 >> 8, 0xee];
}

/** One letter or another by the zero flag. */
function tellWhether(equal: string, other: string): readonly number[] {
  // mov al, equal; je over; mov al, other; over: mov dx, COM1; out dx, al
  const [first, second] = [equal.charCodeAt(0), other.charCodeAt(0)];
  return [0xb0, first, 0x74, 0x02, 0xb0, second, 0x66, 0xba, COM1 & 0xff, COM1 >> 8, 0xee];
}

async function timed(work: Promise<void>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

describe("A guest that writes", function () {
  this.timeout(60_000);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this);
  });

  async function started(name: string, code: readonly number[]): Promise<Running> {
    const running = await create(smallGuest("", { boot: { kernel: folder.file(`${name}.elf`, tinyGuest(code)) } }));
    await running.machine.start();
    return running;
  }

  /** `rep` with the registers that it takes, from `at` on. */
  function string(operation: number, count: number, at: number): readonly number[] {
    return [...mov.ecx(count), ...mov.edx(NOBODY), ...mov.edi(at), ...mov.esi(at), REP, operation];
  }

  for (const [what, direction, at] of [
    ["over the end of memory", CLD, RAM_END - 0x100],
    ["down over address 0, into ROM", STD, 0x100],
  ] as const) {
    for (const [name, operation] of [
      ["insb", 0x6c],
      ["outsd", 0x6f],
    ] as const) {
      it(`by rep ${name} of 2^32-1 items ${what} is paused, goes on, and is stopped (P8)`, async () => {
        const code = string(operation, 0xffff_ffff, at);
        const file = `string-${operation}-${direction}`;
        const { machine } = await started(file, [0xfa, direction, ...code, 0xeb, 0xfe - code.length]);
        // The device actor may still load its code.
        await machine.pause();
        await machine.resume();
        for (let round = 0; round < 3; round++) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          assert((await timed(machine.pause())) < PROMPT_MS);
          assert.match(await machine.describeVcpus(), /^vCPU 0:\n {2}rip 00000000001000/);
          await machine.resume();
        }
        assert((await timed(machine.stop())) < PROMPT_MS);
        assert.deepEqual(await machine.ended, { kind: "stopped" });
      });
    }
  }

  it("by a rep ins over the end of memory has all up to there, and none before or behind (P8)", async () => {
    const { waitFor } = await started("ends", [
      ...[0xfa, CLD, ...string(0x6c, 0x200, RAM_END - 0x100)],
      // cmp edi, RAM_END + 0x100; then whether nothing is left to do: test ecx, ecx
      ...[0x81, 0xff, ...little32(RAM_END + 0x100), ...tellWhether("e", "x")],
      ...[0x85, 0xc9, ...tellWhether("c", "x")],
      ...[RAM_END - 0x101, RAM_END - 0x100, RAM_END - 1, RAM_END, 0].flatMap(tell),
      ...HALT,
    ]);
    await waitFor("serial0", "ec\0\xff\xff\xff\0");
  });

  it("to ROM, in any way, finds it as it was, now and after a reset (V9)", async () => {
    const { machine, waitFor } = await started("rom", [
      // mov ebx, [vector]
      ...[0xfa, CLD, 0x8b, 0x1d, ...little32(RESET_VECTOR)],
      // mov byte [...], 0; mov dword [...], 0; lock inc dword [...]; xchg [...], ecx
      ...[0xc6, 0x05, ...little32(RESET_VECTOR), 0, 0xc7, 0x05, ...little32(RESET_VECTOR), ...little32(0)],
      ...[0xf0, 0xff, 0x05, ...little32(RESET_VECTOR), 0x87, 0x0d, ...little32(RESET_VECTOR)],
      // rep stosd over the page
      ...[...mov.edi(ROM), ...mov.ecx(0x400), ...mov.eax(0), REP, 0xab],
      // mov eax, [vector]; cmp eax, ebx
      ...[0xa1, ...little32(RESET_VECTOR), 0x39, 0xd8, ...tellWhether("r", "w")],
      // cmp eax, 0: there is something there
      ...[0x83, 0xf8, 0x00, ...tellWhether("0", "c")],
      ...HALT,
    ]);
    await waitFor("serial0", "rc");
    await machine.reset();
    await waitFor("serial0", "rcrc");
  });

  it("to its hypercall page loses what was there, until it places the page again (V9)", async () => {
    const place = [...mov.ecx(HYPERCALL_MSR), ...mov.eax(PAGE), ...mov.edx(0), 0x0f, 0x30];
    // xor ebx, ebx; mov ebp, STUB; call ebp; cmp eax, 4.10
    const call = [0x31, 0xdb, 0xbd, ...little32(STUB), 0xff, 0xd5, 0x3d, ...little32(0x4_000a)];
    // Returns instead: mov edi, PAGE; rep stosd
    const scribble = [...mov.edi(PAGE), ...mov.ecx(0x400), ...mov.eax(0xc3c3_c3c3), REP, 0xab];
    const ask = [...call, ...tellWhether("V", "x")];
    // mov esp, PAGE
    const stack = [0xbc, ...little32(PAGE)];
    const { machine, waitFor } = await started("page", [
      ...[0xfa, CLD, ...stack, ...place, ...ask, ...scribble, ...ask, ...place, ...ask],
      ...[...outb(COM1, 0x0a), ...HALT],
    ]);
    await waitFor("serial0", "VxV\n");
    await machine.reset();
    await waitFor("serial0", "VxV\nVxV\n");
  });
});
