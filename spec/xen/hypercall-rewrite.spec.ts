/** Kernels without a hypercall page: their two functions are found and rewritten, and nothing else is. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SharedArena } from "../../shared/arena.js";
import { gpa } from "../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";
import { HypercallRewrite } from "../../xen/hypercall-rewrite.js";
import { Guest } from "./guest.js";

const MIB = 1024 * 1024;
const RAM = 8 * MIB;
/** Where a kernel of the specs is, and where in it the processor is. */
const KERNEL = 2 * MIB;
const RIP = KERNEL + 0x1234;

const VMMCALL = [0x0f, 0x01, 0xd9];
const VMCALL = [0x0f, 0x01, 0xc1];
const ENDBR64 = [0xf3, 0x0f, 0x1e, 0xfa];
const RET = [0xc3];
const JMP = [0xe9, 0x11, 0x22, 0x33, 0x44];
/** out 0xe6, eax; nop */
const OUT = [0xe7, 0xe6, 0x90];

function machine(at = 0): { readonly ram: MemoryRegion; readonly rewrite: HypercallRewrite } {
  const ram = new MemoryRegion(gpa(at), RAM, new SharedArrayBuffer(RAM));
  const rewrite = new HypercallRewrite(new SharedArena(new SharedArrayBuffer(4096)), new GuestMemory([ram]));
  rewrite.reset();
  return { ram, rewrite };
}

describe("HypercallRewrite", () => {
  for (const [name, start, end] of [
    ["plain", [], RET],
    ["with indirect branch tracking", ENDBR64, RET],
    ["with return thunks", [], JMP],
    ["with both", ENDBR64, JMP],
  ] as const) {
    it(`rewrites a kernel's functions, ${name}`, () => {
      const { ram, rewrite } = machine();
      ram.bytes.set([...start, ...VMMCALL, ...end], 3 * MIB);
      ram.bytes.set([...start, ...VMCALL, ...end], 3 * MIB + 32);
      assert.equal(rewrite.rewriteAround(RIP), 2);
      for (const at of [3 * MIB, 3 * MIB + 32]) {
        const length = start.length + 3 + end.length;
        assert.deepEqual([...ram.bytes.subarray(at, at + length)], [...start, ...OUT, ...end]);
      }
      assert.equal(rewrite.rewriteAround(RIP), 0);
    });
  }

  it("does so once a kernel: again for the next one, and after a reset", () => {
    const { ram, rewrite } = machine();
    const place = (): void => {
      ram.bytes.set([...VMMCALL, ...RET], 3 * MIB);
      ram.bytes.set([...VMCALL, ...RET], 3 * MIB + 16);
    };
    place();
    assert.equal(rewrite.rewriteAround(RIP), 2);
    place();
    assert.equal(rewrite.rewriteAround(RIP), 2);
    rewrite.reset();
    place();
    assert.equal(rewrite.rewriteAround(RIP), 2);
  });

  it("finds a crash kernel's after a soft reset, though the kernel that crashed lies above it", () => {
    const guest = new Guest();
    const place = (at: number): void => {
      guest.ram.bytes.set([...VMMCALL, ...RET], at);
      guest.ram.bytes.set([...VMCALL, ...RET], at + 16);
    };
    place(0x8_0000);
    assert.equal(guest.xen.rewrite.rewriteAround(0x7_0000), 2);
    guest.xen.softReset();
    place(0x4_0000);
    assert.equal(guest.xen.rewrite.rewriteAround(0x3_0000), 2);
    assert.deepEqual([...guest.ram.bytes.subarray(0x4_0000, 0x4_0003)], OUT);
  });

  for (const [name, bytes, distance] of [
    ["one function alone", [...VMMCALL, ...RET], undefined],
    ["two that are far apart", [...VMMCALL, ...RET], 80],
    ["instructions inside functions", [0x90, ...VMMCALL, ...RET], 16],
    ["instructions that no return follows", [...VMMCALL, 0x90], 16],
  ] as const) {
    it(`leaves ${name} alone`, () => {
      const { ram, rewrite } = machine();
      ram.bytes.set(bytes, 3 * MIB);
      if (distance !== undefined) ram.bytes.set([...VMCALL, ...RET], 3 * MIB + distance);
      const before = ram.bytes.slice();
      assert.equal(rewrite.rewriteAround(RIP), 0);
      assert.deepEqual(ram.bytes.slice(), before);
    });
  }

  it("looks at nothing below the image", () => {
    const { ram, rewrite } = machine();
    ram.bytes.set([...VMMCALL, ...RET], MIB);
    ram.bytes.set([...VMCALL, ...RET], MIB + 16);
    assert.equal(rewrite.rewriteAround(RIP), 0);
    assert.equal(rewrite.rewriteAround(MIB), 2);
  });

  it("survives any address and any memory", () => {
    const { ram, rewrite } = machine(0x1_0000_0000);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer(),
          fc.double({ noNaN: true }),
          fc.integer({ min: 0, max: RAM }).map((at) => 0x1_0000_0000 + at),
        ),
        fc.uint8Array({ maxLength: 64 }),
        (at, bytes) => {
          ram.bytes.set(bytes, RAM - 64);
          rewrite.rewriteAround(at);
        },
      ),
      { numRuns: 30 },
    );
  });
});
