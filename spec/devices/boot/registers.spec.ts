import assert from "node:assert/strict";
import { Placement } from "../../../devices/boot/placement.js";
import { enterLong64, enterProtected32, placeEntryPages } from "../../../devices/boot/registers.js";
import type { EntryPages } from "../../../devices/boot/registers.js";
import { MIB, SmallMachine } from "./fixtures.js";

function pages(): EntryPages {
  const placed = placeEntryPages(new Placement(4 * MIB));
  assert.ok(placed);
  return placed;
}

describe("enterLong64()", () => {
  it("turns on paging and long mode, with interrupts off", () => {
    const machine = new SmallMachine();
    const { mode, rip, rflags, cr0, cr4, efer, rsi } = enterLong64(machine.memory, pages(), {
      rip: 0x20_0200,
      rsi: 0x9000,
    });
    assert.deepEqual(
      { mode, rip, rflags, cr0, cr4, efer, rsi },
      { mode: "long64", rip: 0x20_0200, rflags: 2, cr0: 0x8000_0011, cr4: 0x20, efer: 0x500, rsi: 0x9000 },
    );
  });

  it("has Linux's boot selectors, in the registers as in the GDT", () => {
    const machine = new SmallMachine();
    const { cs, data, tr, gdt } = enterLong64(machine.memory, pages(), { rip: 0 });
    assert.deepEqual([cs.selector, cs.l, cs.db, cs.type], [0x10, 1, 0, 0xb]);
    assert.deepEqual([data.selector, data.db, data.type, data.limit], [0x18, 1, 3, 0xffff_ffff]);
    assert.deepEqual([tr.selector, tr.type, tr.s, tr.present], [0x20, 0xb, 0, 1]);
    assert.equal(gdt.limit, 0x2f);
    // Intel SDM vol. 3A, figure 3-8.
    assert.deepEqual(machine.bytes(gdt.base, 16), new Array(16).fill(0));
    assert.deepEqual(machine.bytes(gdt.base + 0x10, 8), [0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0]);
    assert.deepEqual(machine.bytes(gdt.base + 0x18, 8), [0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]);
    assert.deepEqual(machine.bytes(gdt.base + 0x20, 8), [0x67, 0, 0, 0, 0, 0x8b, 0, 0]);
  });

  it("maps every 2 MiB below 4 GiB to itself", () => {
    const machine = new SmallMachine();
    const { cr3 } = enterLong64(machine.memory, pages(), { rip: 0 });
    const pdpt = machine.u64(cr3) - 3;
    const directories = [0, 1, 2, 3].map((i) => machine.u64(pdpt + i * 8) - 3);
    const mapped = directories.flatMap((at) => Array.from({ length: 512 }, (_, i) => machine.u64(at + i * 8)));
    assert.deepEqual(
      mapped,
      Array.from({ length: 2048 }, (_, i) => i * 0x20_0000 + 0x83),
    );
    assert.equal(machine.u64(cr3 + 8), 0);
    assert.equal(machine.u64(pdpt + 32), 0);
  });
});

describe("enterProtected32()", () => {
  it("leaves paging off", () => {
    const machine = new SmallMachine();
    const { mode, cr0, cr3, cr4, efer, rax, rbx } = enterProtected32(machine.memory, pages(), {
      rip: 1,
      rax: 2,
      rbx: 3,
    });
    assert.deepEqual(
      { mode, cr0, cr3, cr4, efer, rax, rbx },
      { mode: "protected32", cr0: 0x11, cr3: 0, cr4: 0, efer: 0, rax: 2, rbx: 3 },
    );
  });

  it("has flat 32-bit segments", () => {
    const machine = new SmallMachine();
    const { cs, gdt } = enterProtected32(machine.memory, pages(), { rip: 0 });
    assert.deepEqual([cs.base, cs.limit, cs.l, cs.db, cs.g], [0, 0xffff_ffff, 0, 1, 1]);
    assert.deepEqual(machine.bytes(gdt.base + 0x10, 8), [0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0]);
  });
});
