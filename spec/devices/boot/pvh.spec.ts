import assert from "node:assert/strict";
import { loadKernel } from "../../../devices/boot/load.js";
import { SmallMachine, makePvhKernel, refusal } from "./fixtures.js";

const ACPI = {
  apicIds: [0],
  serialPorts: [0],
  keyboard: true,
  mouse: false,
  vga: false,
  pmBase: 0xb000,
  pciWindowStart: 0xe000_0000,
};
const FILES = {
  kernel: makePvhKernel(),
  initrd: new Uint8Array(5000).fill(0x77),
  other: new Uint8Array(10).fill(0x66),
  "a,b": new Uint8Array(1),
};

function boot(options: Parameters<SmallMachine["config"]>[1] = {}) {
  const machine = new SmallMachine();
  const state = loadKernel(machine.config(FILES, options));
  return { machine, state, info: state.registers.rbx };
}

describe("PVH", () => {
  it("enters at the note's address in protected mode with EBX at the start info", () => {
    const { state, machine, info } = boot();
    assert.equal(state.protocol, "pvh");
    assert.equal(state.registers.mode, "protected32");
    assert.equal(state.registers.rip, 0x10_0010);
    assert.deepEqual([machine.u32(info), machine.u32(info + 4), machine.u32(info + 8)], [0x336e_c578, 1, 0]);
  });

  it("gives the command line, the root pointer and the memory map", () => {
    const { machine, info } = boot({ cmdline: "hello", acpi: ACPI });
    assert.equal(machine.text(machine.u64(info + 24)), "hello");
    assert.equal(machine.u64(info + 32), 0xe_0000);
    assert.equal(machine.u32(info + 48), 6);
    const map = machine.u64(info + 40);
    assert.deepEqual([machine.u64(map), machine.u64(map + 8), machine.u32(map + 16)], [0, 0x9_fc00, 1]);
    assert.deepEqual([machine.u64(map + 72), machine.u64(map + 80), machine.u32(map + 88)], [0x10_0000, 0x30_0000, 1]);
  });

  it("has no module list without modules, and no root pointer without ACPI", () => {
    const { machine, info } = boot();
    assert.deepEqual([machine.u32(info + 12), machine.u64(info + 16), machine.u64(info + 32)], [0, 0, 0]);
  });

  it("loads modules page-aligned behind the kernel", () => {
    const { machine, info } = boot({ initrd: "initrd,other with args" });
    const list = machine.u64(info + 16);
    assert.equal(machine.u32(info + 12), 2);
    assert.deepEqual([machine.u64(list), machine.u64(list + 8), machine.u64(list + 16)], [0x10_1000, 5000, 0]);
    assert.deepEqual([machine.u64(list + 32), machine.u64(list + 40)], [0x10_3000, 10]);
    assert.equal(machine.text(machine.u64(list + 48)), "with args");
    assert.deepEqual(machine.bytes(0x10_3000, 11), [...new Array<number>(10).fill(0x66), 0xee]);
  });

  it("takes a doubled comma for one in a name", () => {
    const { machine, info } = boot({ initrd: "a,,b" });
    assert.equal(machine.u32(info + 12), 1);
  });

  it("keeps every table inside RAM and apart from the kernel (L9)", () => {
    const machine = new SmallMachine();
    const headers = [{}, { paddr: 0x1000n, memsz: 0x9_e000n }, { type: 4, offset: 0x1100, filesz: 0x18n }];
    const { registers } = loadKernel(
      machine.config({ kernel: makePvhKernel(undefined, { headers }) }, { cmdline: "x" }),
    );
    // Conventional memory is full but for the first page and 3 KiB: what does not fit there goes behind 1 MiB.
    assert.ok(registers.gdt.base >= 0x10_0200);
    assert.equal(machine.text(machine.u64(registers.rbx + 24)), "x");
    assert.ok(machine.intact);
  });

  it("refuses a kernel that leaves no room for them (L9)", () => {
    const machine = new SmallMachine();
    const headers = [
      { memsz: 0x30_0000n },
      { paddr: 0n, memsz: 0x9_fc00n },
      { type: 4, offset: 0x1100, filesz: 0x18n },
    ];
    const config = machine.config({ kernel: makePvhKernel(undefined, { headers }) });
    assert.throws(() => loadKernel(config), refusal("kernel", /leaves no guest RAM for the boot parameters/));
  });

  it("refuses modules that do not fit, that are empty, or that are missing", () => {
    const machine = new SmallMachine();
    const files = { ...FILES, large: new Uint8Array(4 * 1024 * 1024), empty: new Uint8Array(0) };
    const attempt = (initrd: string) => () => loadKernel(machine.config(files, { initrd }));
    assert.throws(attempt("large"), refusal("large", /module of 4194304 bytes does not fit/));
    assert.throws(attempt("empty"), refusal("empty", /module is empty/));
    assert.throws(attempt("absent x"), /Cannot open absent/);
    assert.throws(attempt("initrd,"), /one of --initrd's names is empty/);
  });
});
