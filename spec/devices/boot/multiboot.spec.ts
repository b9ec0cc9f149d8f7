import assert from "node:assert/strict";
import { loadKernel } from "../../../devices/boot/load.js";
import {
  PVH_NOTE,
  SmallMachine,
  makeElf,
  makeFlatKernel,
  makeMultibootHeader,
  makePvhKernel,
  refusal,
} from "./fixtures.js";
import type { MultibootFields } from "./fixtures.js";

const FILES = { initrd: new Uint8Array(5000).fill(0x77), other: new Uint8Array(10).fill(0x66) };

function boot(kernel: Uint8Array, options: Parameters<SmallMachine["config"]>[1] = {}) {
  const machine = new SmallMachine();
  const state = loadKernel(machine.config({ ...FILES, kernel }, options));
  return { machine, state, info: state.registers.rbx };
}

describe("multiboot, flat kernels", () => {
  it("loads what the header says, to where it says", () => {
    const { machine, state } = boot(makeFlatKernel());
    assert.equal(state.protocol, "multiboot");
    assert.equal(state.registers.rip, 0x10_0040);
    assert.equal(state.registers.rax, 0x2bad_b002);
    assert.equal(machine.u32(0x10_0010), 0x1bad_b002);
    assert.deepEqual(machine.bytes(0x10_00fe, 4), [0x90, 0x90, 0, 0]);
    assert.deepEqual(machine.bytes(0x10_01fe, 4), [0, 0, 0xee, 0xee]);
  });

  it("loads to the end of the file when load_end_addr is 0, without BSS when bss_end_addr is", () => {
    const { machine } = boot(makeFlatKernel({ loadEnd: 0, bssEnd: 0 }));
    assert.deepEqual(machine.bytes(0x10_02de, 4), [0x90, 0x90, 0xee, 0xee]);
  });

  it("finds the header only in the first 8192 bytes, 4-byte aligned", () => {
    const far = new Uint8Array(0x4000);
    far.set(makeMultibootHeader(), 8192);
    const odd = new Uint8Array(0x300);
    odd.set(makeMultibootHeader(), 0x32);
    assert.throws(() => boot(far), refusal("kernel", /it is not a bzImage/));
    assert.throws(() => boot(odd), refusal("kernel", /it is not a bzImage/));
  });
});

describe("multiboot, ELF kernels", () => {
  const content = new Uint8Array(0x200).fill(0x90);
  content.set(makeMultibootHeader({ flags: 3 }), 0x20);

  it("enters at the ELF entry point", () => {
    const { state } = boot(makeElf({ wide: false, content, entry: 0x10_0080n }));
    assert.deepEqual([state.protocol, state.registers.rip], ["multiboot", 0x10_0080]);
  });

  it("turns a virtual entry point into a physical one", () => {
    const headers = [{ vaddr: 0xffff_ffff_8000_0000n }];
    const { state } = boot(makeElf({ content, headers, entry: 0xffff_ffff_8000_0081n }));
    assert.equal(state.registers.rip, 0x10_0081);
  });

  it("is preferred to PVH in 32-bit files, as multiboot loaders take no others", () => {
    const withHeader = (kernel: Uint8Array): Uint8Array => {
      kernel.set(makeMultibootHeader({ flags: 0 }), 0x1020);
      return kernel;
    };
    assert.equal(boot(withHeader(makePvhKernel(PVH_NOTE, { wide: false }))).state.protocol, "multiboot");
    assert.equal(boot(withHeader(makePvhKernel())).state.protocol, "pvh");
    assert.equal(boot(makePvhKernel()).state.protocol, "pvh");
  });

  it("refuses an entry point outside of the segments", () => {
    assert.throws(
      () => boot(makeElf({ content, entry: 0x10_0100n })),
      refusal("kernel", /entry point 0x100100 is outside/),
    );
  });
});

describe("multiboot information", () => {
  it("has memory sizes, command line, loader name and memory map", () => {
    const { machine, info } = boot(makeFlatKernel(), { cmdline: "a b" });
    assert.equal(machine.u32(info), 0x24d, "flags");
    assert.deepEqual([machine.u32(info + 4), machine.u32(info + 8)], [639, 3 * 1024]);
    assert.equal(machine.text(machine.u32(info + 16)), "kernel a b");
    assert.equal(machine.u32(info + 44), 6 * 24);
    const map = machine.u32(info + 48);
    assert.deepEqual(
      [machine.u32(map), machine.u64(map + 4), machine.u64(map + 12), machine.u32(map + 20)],
      [20, 0, 0x9_fc00, 1],
    );
    assert.equal(machine.text(machine.u32(info + 64)), "xenolith");
  });

  it("has no modules without an initrd", () => {
    const { machine, info } = boot(makeFlatKernel());
    assert.deepEqual([machine.u32(info + 20), machine.u32(info + 24)], [0, 0]);
  });

  it("lists modules, page-aligned behind the kernel, with their names and arguments", () => {
    const { machine, info } = boot(makeFlatKernel(), { initrd: "initrd one two, other" });
    const list = machine.u32(info + 24);
    assert.equal(machine.u32(info + 20), 2);
    assert.deepEqual([machine.u32(list), machine.u32(list + 4)], [0x10_1000, 0x10_1000 + 5000]);
    assert.equal(machine.text(machine.u32(list + 8)), "initrd one two");
    assert.deepEqual([machine.u32(list + 16), machine.u32(list + 20)], [0x10_3000, 0x10_300a]);
    assert.equal(machine.text(machine.u32(list + 24)), "other");
    assert.deepEqual(machine.bytes(0x10_1000, 2), [0x77, 0x77]);
  });
});

describe("multiboot, refused (L8)", () => {
  it("does not take a header with a bad checksum for one", () => {
    assert.throws(() => boot(makeFlatKernel({ checksum: 1 })), refusal("kernel", /it is not a bzImage/));
  });

  const table: readonly [string, MultibootFields, RegExp][] = [
    ["a load address above the header's", { load: 0x10_0014 }, /load address that does not fit/],
    ["a header address that puts the start before the file", { header: 0x10_0031 }, /load address that does not fit/],
    ["an end before the start", { loadEnd: 0xf_ffff }, /ends the kernel before it starts/],
    ["an end behind the file", { loadEnd: 0x10_0400, bssEnd: 0 }, /truncated: the kernel/],
    ["a BSS that ends inside the kernel", { bssEnd: 0x10_0080 }, /ends the BSS inside/],
    ["a BSS beyond RAM", { bssEnd: 0xffff_ffff }, /lies outside the guest's RAM/],
    [
      "a load address that wraps",
      { load: 0xffff_fff0, header: 0xffff_fffc, loadEnd: 0, bssEnd: 0, entry: 0xffff_fff0 },
      /lies outside/,
    ],
    [
      "a load address in video memory",
      { load: 0xa_0000, header: 0xa_0010, loadEnd: 0, bssEnd: 0, entry: 0xa_0000 },
      /lies outside/,
    ],
    ["an entry point outside", { entry: 0x10_0100 }, /entry point 0x100100 is outside/],
    ["unknown required features", { flags: 0x1_0008 }, /requires unknown features \(flags 0x8\)/],
  ];
  for (const [what, fields, pattern] of table) {
    it(`refuses ${what}`, () => {
      assert.throws(() => boot(makeFlatKernel(fields)), refusal("kernel", pattern));
    });
  }
});
