import assert from "node:assert/strict";
import { gpa } from "../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";
import { VirtualMemory } from "../../shared/virtual-memory.js";
import type { PagingRegisters } from "../../shared/virtual-memory.js";

// Intel SDM volume 3A, 2.5 and 4.1: CR0.PG and WP, CR4.PSE, PAE and LA57, EFER.LMA.
const PG = 0x8000_0000;
const WP = 0x1_0000;
const PSE = 0x10;
const PAE = 0x20;
const LA57 = 0x1000;
const LMA = 0x400;
// Entry bits: present, writable, page size.
const P = 1;
const RW = 2;
const PS = 0x80;

const RAM = 0x40_0000;

interface Machine {
  readonly ram: MemoryRegion;
  readonly vm: VirtualMemory;
  loads: number;
}

function machine(registers: Partial<PagingRegisters>): Machine {
  const ram = new MemoryRegion(gpa(0), RAM, new SharedArrayBuffer(RAM));
  const self = { ram, loads: 0 };
  const vm = new VirtualMemory(new GuestMemory([ram]), {
    load: (into) => {
      self.loads++;
      Object.assign(into, { cr0: (PG | WP) >>> 0, cr3: 0x1000, cr4: 0, efer: 0 }, registers);
    },
  });
  return Object.assign(self, { vm });
}

/** Writes an 8-byte entry into the table at `table`. */
function entry(m: Machine, table: number, index: number, value: number): void {
  m.ram.view.setUint32(table + index * 8, (value % 0x1_0000_0000) >>> 0, true);
  m.ram.view.setUint32(table + index * 8 + 4, Math.floor(value / 0x1_0000_0000), true);
}

function entry4(m: Machine, table: number, index: number, value: number): void {
  m.ram.view.setUint32(table + index * 4, value >>> 0, true);
}

/** 0xffff8880_00400000 and the two pages after it are mapped: page 0x10000, page 0x12000 read-only, nothing. */
function kernelTables(): Machine {
  const m = machine({ cr4: PAE, efer: LMA });
  entry(m, 0x1000, 0x111, 0x2000 | P | RW);
  entry(m, 0x2000, 0, 0x3000 | P | RW);
  entry(m, 0x3000, 2, 0x4000 | P | RW);
  entry(m, 0x4000, 0, 0x1_0000 | P | RW);
  entry(m, 0x4000, 1, 0x1_2000 | P);
  return m;
}
const HIGH = 0xffff_8880;
const LOW = 0x0040_0000;

describe("VirtualMemory", () => {
  describe("without paging", () => {
    it("takes addresses as they are, in 32 bits", () => {
      const { vm, ram } = machine({ cr0: 1 });
      ram.view.setUint32(0x5000, 0xdead_beef, true);
      assert.equal(vm.u32(0, 0x5000), 0xdead_beef);
      assert.equal(vm.translate(0xffff_ffff, 0x5000, true), 0x5000);
    });

    it("fails where there is no memory", () => {
      const { vm } = machine({ cr0: 1 });
      assert.equal(vm.u32(0, RAM), -1);
      assert.equal(vm.u32(0, RAM - 2), -1);
    });
  });

  describe("with four levels", () => {
    it("walks to a 4 KiB page", () => {
      assert.equal(kernelTables().vm.translate(HIGH, LOW + 0x123, true), 0x1_0123);
    });

    it("fails on addresses that are not canonical", () => {
      const { vm } = kernelTables();
      assert.equal(vm.translate(0x0000_8880, LOW, false), -1);
      assert.equal(vm.translate(0xfffe_8880, LOW, false), -1);
    });

    it("fails at an entry that is not present", () => {
      const { vm } = kernelTables();
      assert.equal(vm.translate(HIGH, LOW + 0x2000, false), -1);
      assert.equal(vm.translate(HIGH, LOW + 0x20_0000, false), -1);
    });

    it("lets read-only pages be read and not written", () => {
      const { vm } = kernelTables();
      assert.equal(vm.translate(HIGH, LOW + 0x1000, false), 0x1_2000);
      assert.equal(vm.translate(HIGH, LOW + 0x1000, true), -1);
    });

    it("lets a supervisor write read-only pages while CR0.WP is clear", () => {
      const m = machine({ cr0: PG, cr4: PAE, efer: LMA });
      entry(m, 0x1000, 0, 0x2000 | P);
      entry(m, 0x2000, 0, PS | P);
      assert.equal(m.vm.translate(0, 0x5000, true), 0x5000);
    });

    it("follows 2 MiB and 1 GiB pages", () => {
      const m = machine({ cr4: PAE, efer: LMA });
      entry(m, 0x1000, 0, 0x2000 | P | RW);
      entry(m, 0x2000, 0, 0x3000 | P | RW);
      entry(m, 0x2000, 1, 0x8000_0000 + PS + P + RW);
      entry(m, 0x3000, 3, 0x20_0000 | PS | P | RW);
      assert.equal(m.vm.translate(0, 0x61_2345, true), 0x21_2345);
      assert.equal(m.vm.translate(0, 0x4123_4567, true), 0x8123_4567);
    });

    it("fails on reserved bits of large pages, and on a large page at the top level", () => {
      const m = machine({ cr4: PAE, efer: LMA });
      entry(m, 0x1000, 0, 0x2000 | P | RW);
      entry(m, 0x1000, 1, PS | P | RW);
      entry(m, 0x2000, 0, 0x3000 | P | RW);
      entry(m, 0x3000, 0, 0x2000 | PS | P | RW);
      assert.equal(m.vm.translate(0, 0x1000, false), -1);
      assert.equal(m.vm.translate(0x80, 0, false), -1);
    });

    it("fails when a table lies outside memory", () => {
      const m = machine({ cr4: PAE, efer: LMA, cr3: 2 ** 40 });
      assert.equal(m.vm.translate(0, 0x1000, false), -1);
    });

    it("keeps address bits above 4 GiB", () => {
      const m = machine({ cr4: PAE, efer: LMA });
      entry(m, 0x1000, 0, 0x2000 | P | RW);
      entry(m, 0x2000, 0, 0x3000 | P | RW);
      entry(m, 0x3000, 0, 0x4000 | P | RW);
      // Execute-disable (bit 63) does not matter here.
      entry(m, 0x4000, 5, 0x12_3456_7000 + P);
      m.ram.view.setUint32(0x4000 + 5 * 8 + 4, 0x8000_0012, true);
      assert.equal(m.vm.translate(0, 0x5008, false), 0x12_3456_7008);
    });
  });

  it("walks five levels with CR4.LA57", () => {
    const m = machine({ cr4: PAE | LA57, efer: LMA });
    entry(m, 0x1000, 0x1ff, 0x2000 | P | RW);
    entry(m, 0x2000, 0, 0x3000 | P | RW);
    entry(m, 0x3000, 0, 0x4000 | P | RW);
    entry(m, 0x4000, 0, 0x5000 | P | RW);
    entry(m, 0x5000, 7, 0x6000 | P | RW);
    assert.equal(m.vm.translate(0xffff_0000, 0x7abc, true), 0x6abc);
    assert.equal(m.vm.translate(0xfeff_0000, 0x7abc, true), -1);
  });

  describe("with PAE", () => {
    it("walks three levels and ignores rights at the top", () => {
      const m = machine({ cr4: PAE, cr3: 0x1020 });
      entry(m, 0x1020, 3, 0x2000 | P);
      entry(m, 0x2000, 0, 0x3000 | P | RW);
      entry(m, 0x2000, 1, 0x20_0000 | PS | P | RW);
      entry(m, 0x3000, 1, 0x7000 | P | RW);
      assert.equal(m.vm.translate(0xbad, 0xc000_1010, true), 0x7010);
      assert.equal(m.vm.translate(0, 0xc020_0040, true), 0x20_0040);
      assert.equal(m.vm.translate(0, 0x0000_1010, false), -1);
    });
  });

  describe("with two levels of 32 bits", () => {
    it("walks to 4 KiB pages and checks the right to write", () => {
      const m = machine({});
      entry4(m, 0x1000, 0x300, 0x2000 | P | RW);
      entry4(m, 0x2000, 4, 0x9000 | P | RW);
      entry4(m, 0x2000, 5, 0xa000 | P);
      assert.equal(m.vm.translate(0, 0xc000_4004, true), 0x9004);
      assert.equal(m.vm.translate(0, 0xc000_5004, false), 0xa004);
      assert.equal(m.vm.translate(0, 0xc000_5004, true), -1);
    });

    it("follows 4 MiB pages with CR4.PSE, with address bits 39:32", () => {
      const m = machine({ cr4: PSE });
      entry4(m, 0x1000, 1, 0x0040_0000 | PS | P | RW);
      entry4(m, 0x1000, 2, 0x0080_0000 | (1 << 13) | PS | P | RW);
      assert.equal(m.vm.translate(0, 0x0055_5555, true), 0x0055_5555);
      assert.equal(m.vm.translate(0, 0x0080_0001, true), 0x1_0080_0001);
    });
  });

  describe("accesses", () => {
    it("split at page boundaries", () => {
      const m = kernelTables();
      m.ram.bytes.set([1, 2], 0x1_0ffe);
      m.ram.bytes.set([3, 4], 0x1_2000);
      const target = new Uint8Array(4);
      assert.equal(m.vm.read(HIGH, LOW + 0xffe, target, 4), true);
      assert.deepEqual([...target], [1, 2, 3, 4]);
    });

    it("carry into the high half", () => {
      const m = machine({ cr4: PAE, efer: LMA });
      entry(m, 0x1000, 0, 0x2000 | P | RW);
      entry(m, 0x2000, 3, 0x3000 | P | RW);
      entry(m, 0x2000, 4, 0x5000 | P | RW);
      entry(m, 0x3000, 0x1ff, 0x4000 | P | RW);
      entry(m, 0x4000, 0x1ff, 0x7000 | P | RW);
      entry(m, 0x5000, 0, 0x6000 | P | RW);
      entry(m, 0x6000, 0, 0x8000 | P | RW);
      assert.equal(m.vm.writeU64(0, 0xffff_fffc, 0x1111_2222, 0x3333_4444), true);
      assert.equal(m.ram.view.getUint32(0x7ffc, true), 0x3333_4444);
      assert.equal(m.ram.view.getUint32(0x8000, true), 0x1111_2222);
    });

    it("write nothing when the second page cannot be written (H4)", () => {
      const m = kernelTables();
      assert.equal(m.vm.write(HIGH, LOW + 0xffe, Uint8Array.of(9, 9, 9, 9), 4), false);
      assert.equal(m.ram.view.getUint16(0x1_0ffe, true), 0);
    });

    it("fail when longer than 16 pages and a bit", () => {
      const { vm } = machine({ cr0: 1 });
      assert.equal(vm.read(0, 0, new Uint8Array(18 * 4096), 18 * 4096), false);
    });

    it("load the registers once for each hypercall", () => {
      const m = kernelTables();
      m.vm.u32(HIGH, LOW);
      m.vm.u32(HIGH, LOW);
      assert.equal(m.loads, 1);
      m.vm.begin();
      m.vm.u32(HIGH, LOW);
      assert.equal(m.loads, 2);
    });
  });
});
