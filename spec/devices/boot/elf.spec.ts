import assert from "node:assert/strict";
import { loadKernel } from "../../../devices/boot/load.js";
import { VmmError } from "../../../shared/errors.js";
import { MIB, PVH_NOTE, SmallMachine, makeElf, makeNote, makePvhKernel, refusal } from "./fixtures.js";
import type { ElfFields, ElfProgramHeader } from "./fixtures.js";

function boot(kernel: Uint8Array) {
  const machine = new SmallMachine();
  return { machine, state: loadKernel(machine.config({ kernel })) };
}

function refuses(kernel: Uint8Array, pattern: RegExp): void {
  assert.throws(() => boot(kernel), refusal("kernel", pattern));
}

/** A PVH kernel whose one segment has these fields. */
function withSegment(segment: ElfProgramHeader): Uint8Array {
  const headers = [segment, { type: 4, offset: 0x1100, filesz: BigInt(PVH_NOTE.length) }];
  return makePvhKernel(PVH_NOTE, { headers });
}

interface SectionFields {
  readonly type?: number;
  readonly offset?: number;
  readonly size?: number;
  readonly table?: number;
  readonly count?: number;
  readonly stride?: number;
}

/** A kernel whose PVH note is in a section alone, described by the second of two section headers at its end. */
function withNoteSection(wide: boolean, fields: SectionFields = {}): Uint8Array {
  const kernel = makePvhKernel(PVH_NOTE, { headers: [{}], wide });
  const stride = wide ? 64 : 40;
  const image = new Uint8Array(kernel.length + 2 * stride);
  image.set(kernel);
  const view = new DataView(image.buffer);
  view.setUint32(wide ? 40 : 32, fields.table ?? kernel.length, true);
  view.setUint16(wide ? 58 : 46, fields.stride ?? stride, true);
  view.setUint16(wide ? 60 : 48, fields.count ?? 2, true);
  const row = kernel.length + stride;
  view.setUint32(row + 4, fields.type ?? 7, true);
  view.setUint32(row + (wide ? 24 : 16), fields.offset ?? 0x1100, true);
  view.setUint32(row + (wide ? 32 : 20), fields.size ?? PVH_NOTE.length, true);
  view.setUint32(row + (wide ? 48 : 32), 4, true);
  return image;
}

describe("ELF kernels", () => {
  it("loads segments by physical address and clears what the file does not fill", () => {
    const { machine } = boot(withSegment({ vaddr: 0xffff_ffff_8010_0000n, filesz: 0x100n, memsz: 0x180n }));
    assert.deepEqual(machine.bytes(0x10_00fe, 4), [0x90, 0x90, 0, 0]);
    assert.deepEqual(machine.bytes(0x10_017e, 4), [0, 0, 0xee, 0xee]);
  });

  it("takes 32-bit files", () => {
    assert.equal(boot(makePvhKernel(PVH_NOTE, { wide: false })).state.registers.rip, 0x10_0010);
  });

  it("lets a kernel have the first page", () => {
    const note = makeNote("Xen", 18, [0x10, 0, 0, 0]);
    const headers = [{ paddr: 0n }, { type: 4, offset: 0x1100, filesz: BigInt(note.length) }];
    const { machine } = boot(makePvhKernel(note, { headers }));
    assert.deepEqual(machine.bytes(0, 2), [0x90, 0x90]);
  });

  it("refuses a file cut anywhere in its headers (L1)", () => {
    const image = makePvhKernel();
    const outcomes = Array.from({ length: 64 + 2 * 56 }, (_, length) => {
      const machine = new SmallMachine(2 * MIB);
      try {
        loadKernel(machine.config({ kernel: image.subarray(0, length) }));
        return "booted";
      } catch (error) {
        return error instanceof VmmError && error.code === "CONFIG" && machine.intact ? "refused" : error;
      }
    });
    assert.deepEqual(new Set(outcomes), new Set(["refused"]));
  });

  const headers: readonly [string, ElfFields, RegExp][] = [
    ["65535 program headers", { phnum: 65535 }, /has 65535 program headers/],
    ["no program headers", { phnum: 0 }, /has 0 program headers/],
    ["a phentsize of 0", { phentsize: 0 }, /only 0 bytes each/],
    ["a phentsize of 1", { phentsize: 1 }, /only 1 bytes each/],
    ["a program header table behind the end", { phentsize: 0xffff }, /truncated: its program header table/],
    ["another machine", { machine: 183 }, /for another machine \(183\)/],
  ];
  for (const [what, fields, pattern] of headers) {
    it(`refuses ${what} (L2)`, () => {
      refuses(makeElf(fields), pattern);
    });
  }

  const segments: readonly [string, ElfProgramHeader, RegExp][] = [
    ["L2", { offset: 0x1fff }, /truncated: segment 0/],
    ["L2", { offset: Number.MAX_SAFE_INTEGER, filesz: 0x100n }, /truncated: segment 0/],
    ["L2", { filesz: 0xffff_ffff_ffff_ff00n, memsz: 0xffff_ffff_ffff_fff0n }, /lies outside/],
    ["L3", { memsz: 0x80n }, /segment 0 is larger in the file than in memory/],
    ["L3", { memsz: 2n ** 63n }, /segment 0 .* lies outside the guest's RAM/],
    ["L3", { paddr: 0xfeff_8000n }, /segment 0 \(0x200 bytes at 0xfeff8000\) lies outside/],
    ["L3", { paddr: 0x3f_ff00n }, /lies outside/],
    ["L3", { paddr: 0xa_0000n }, /lies outside/],
    ["L3", { paddr: 0xf_0000n }, /lies outside/],
    ["L3", { paddr: 2n ** 64n - 1n }, /lies outside/],
  ];
  segments.forEach(([id, segment, pattern], i) => {
    it(`refuses a segment that is no part of RAM or of the file, ${i + 1} (${id})`, () => {
      const note = makeNote("Xen", 18, [0x10, 0, 0x10, 0]);
      const entry = { paddr: 0x10_0000n, filesz: 0x20n, memsz: 0x20n };
      const notes = { type: 4, offset: 0x1100, filesz: BigInt(note.length) };
      refuses(makePvhKernel(note, { headers: [{ paddr: 0x20_0000n, ...segment }, entry, notes] }), pattern);
    });
  });

  it("refuses segments that overlap each other (L3)", () => {
    const notes = { type: 4, offset: 0x1100, filesz: BigInt(PVH_NOTE.length) };
    refuses(makePvhKernel(PVH_NOTE, { headers: [{}, { paddr: 0x10_01ffn }, notes] }), /segment 1 .* overlaps/);
  });
});

describe("ELF notes", () => {
  it("finds the PVH note behind others", () => {
    const other = makeNote("GNU", 3, [1, 2, 3, 4, 5]);
    const both = new Uint8Array([...other, ...PVH_NOTE]);
    assert.equal(boot(makePvhKernel(both)).state.protocol, "pvh");
  });

  const broken: readonly [string, Uint8Array, RegExp][] = [
    ["a name size that overflows", Uint8Array.from([0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0, 18, 0, 0, 0]), /neither a PVH/],
    [
      "a descriptor size that overflows",
      Uint8Array.from([4, 0, 0, 0, 255, 255, 255, 255, 18, 0, 0, 0]),
      /neither a PVH/,
    ],
    ["no PHYS32_ENTRY", makeNote("Xen", 17, [1, 0, 0, 0]), /neither a PVH note nor a multiboot header/],
    ["another owner", makeNote("Xer", 18, [0x10, 0, 0x10, 0]), /neither a PVH/],
    ["an entry outside of the segments", makeNote("Xen", 18, [0, 0, 0x20, 0]), /entry 0x200000 is outside/],
    ["an entry above 4 GiB", makeNote("Xen", 18, [0x10, 0, 0x10, 0, 1, 0, 0, 0]), /entry 0x100100010 is outside/],
    ["an entry in the BSS", makeNote("Xen", 18, [0, 1, 0x10, 0]), /entry 0x100100 is outside/],
    ["a note of two bytes", makeNote("Xen", 18, [0x10, 0]), /PVH note has 2 bytes/],
  ];
  for (const [what, note, pattern] of broken) {
    it(`refuses ${what} (L4)`, () => {
      refuses(makePvhKernel(note), pattern);
    });
  }

  for (const wide of [true, false]) {
    it(`finds the PVH note in a section where no segment has it, in a file of ${wide ? 64 : 32} bits`, () => {
      const { registers, protocol } = boot(withNoteSection(wide)).state;
      assert.deepEqual([protocol, registers.rip], ["pvh", 0x10_0010]);
    });
  }

  const sections: readonly [string, SectionFields][] = [
    ["of another type", { type: 1 }],
    ["that the file does not hold", { size: 0x1000 }],
    ["of more than 64 KiB", { size: 65537 }],
    ["behind the end", { offset: 0x7fff_ffff }],
    ["in a table behind the end", { table: 0x7fff_ffff }],
    ["in a table of more than it has room for", { count: 0xffff }],
    ["in a table with short rows", { stride: 8 }],
  ];
  for (const [what, fields] of sections) {
    it(`finds none in a section ${what}`, () => {
      refuses(withNoteSection(true, fields), /neither a PVH/);
    });
  }

  it("refuses a note segment of more than 64 KiB (L4)", () => {
    refuses(makeElf({ headers: [{}, { type: 4, filesz: 65537n }] }), /note segment 1 has 65537 bytes/);
  });
});
