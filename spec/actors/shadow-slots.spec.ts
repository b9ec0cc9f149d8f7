import assert from "node:assert/strict";
import type { MachineMemory } from "../../actors/machine-memory.js";
import { ShadowSlots, slotPlace } from "../../actors/shadow-slots.js";
import type { SlotRegion, Vm } from "../../actors/host/kvm.js";
import { PAM_SEGMENTS } from "../../devices/pci/pam.js";
import type { PamSegment } from "../../devices/pci/pam.js";

const RAM = 0x1000_0000;
const ROM = 0x2000_0000;
const KIB = 1024;

function memory(romBytes = 256 * KIB): MachineMemory {
  return {
    ram: [{ memory: { hva: RAM - 64 * KIB }, start: 64 * KIB }],
    rom: { memory: { hva: ROM }, size: romBytes },
  } as unknown as MachineMemory;
}

function segmentAt(base: number): PamSegment {
  const segment = PAM_SEGMENTS.find((each) => each.base === base);
  assert(segment !== undefined);
  return segment;
}

describe("slotPlace()", () => {
  const BIOS = segmentAt(0xf_0000);
  const OPTION_ROM = segmentAt(0xc_4000);

  it("shows the ROM's end read-only while reads do not go to RAM", () => {
    const place = { hva: ROM + 192 * KIB, readOnly: true };
    assert.deepEqual([slotPlace(memory(), BIOS, 0), slotPlace(memory(), BIOS, 2)], [place, place]);
    assert.deepEqual(slotPlace(memory(), segmentAt(0xe_0000), 0), { hva: ROM + 128 * KIB, readOnly: true });
  });

  it("has no slot where nothing answers: option ROMs, and what a small ROM leaves", () => {
    assert.equal(slotPlace(memory(), OPTION_ROM, 0), undefined);
    assert.equal(slotPlace(memory(), OPTION_ROM, 2), undefined);
    assert.equal(slotPlace(memory(64 * KIB), segmentAt(0xe_c000), 0), undefined);
  });

  it("shows RAM, protected or not, while reads go to it", () => {
    assert.deepEqual(slotPlace(memory(), OPTION_ROM, 1), { hva: RAM + 0xc_4000, readOnly: true });
    assert.deepEqual(slotPlace(memory(), BIOS, 3), { hva: RAM + 0xf_0000, readOnly: false });
  });
});

describe("ShadowSlots", () => {
  it("takes a segment's slot away before it comes back otherwise", () => {
    const calls: SlotRegion[] = [];
    const vm = { setMemoryRegion: (region: SlotRegion) => calls.push(region) * 0 } as unknown as Vm;
    const slots = new ShadowSlots(vm, memory());
    slots.create();
    // The ROM's 128 KiB: four segments of 16 KiB below 0xf0000, and that of 64.
    assert.deepEqual(
      calls.splice(0).map(({ gpa }) => gpa),
      [0xe_0000, 0xe_4000, 0xe_8000, 0xe_c000, 0xf_0000],
    );
    slots.apply([{ segment: 12, attributes: 3 }]);
    assert.deepEqual(
      calls.map(({ gpa, size, readOnly }) => [gpa, size, readOnly]),
      [
        [0xf_0000, 0, undefined],
        [0xf_0000, 0x1_0000, false],
      ],
    );
    assert.equal(calls[0]?.slot, calls[1]?.slot);
  });

  it("fails where KVM refuses", () => {
    const vm = { setMemoryRegion: ({ size }: SlotRegion) => (size === 0 ? 0 : -12) } as unknown as Vm;
    const slots = new ShadowSlots(vm, memory());
    assert.throws(() => {
      slots.apply([{ segment: 12, attributes: 1 }]);
    }, /^VmmError: Cannot give the guest its memory at 0xf0000: KVM_SET_USER_MEMORY_REGION failed with ENOMEM/);
  });
});
