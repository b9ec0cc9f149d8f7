/**
 * KVM's memory slots of the segments between 0xc0000 and 1 MiB in a firmware boot, one for each, following the 440FX's
 * attribute map.
 *
 * KVM changes neither a slot's memory nor its read-only flag: the slot goes away and comes back. In between an instruction
 * fetch by another vCPU would end the guest, so all vCPUs are held out of it. Firmware does this a few times per start.
 */
import { LOW_ROM_LIMIT, ONE_MIB } from "../shared/layout.js";
import { Pam, PAM_SEGMENTS } from "../devices/pci/pam.js";
import type { PamChange, PamSegment } from "../devices/pci/pam.js";
import { checked } from "./host/libc.js";
import type { Vm } from "./host/kvm.js";
import { ramHva } from "./machine-memory.js";
import type { MachineMemory, Rom } from "./machine-memory.js";
import { MemorySlot } from "./memory-slots.js";

/** What a segment's slot shows; undefined for no slot, where every access exits to us. */
export interface SlotPlace {
  /** Host virtual address. */
  readonly hva: number;
  /** Writes exit to us. */
  readonly readOnly: boolean;
}

/** The memory behind a segment with `attributes` (bits of `Pam`). What no slot can do is left to `ShadowRam`. */
export function slotPlace(memory: MachineMemory, { base }: PamSegment, attributes: number): SlotPlace | undefined {
  const [low] = memory.ram;
  if (low === undefined || memory.rom === undefined) return undefined;
  if ((attributes & Pam.read) !== 0) return { hva: ramHva(low) + base, readOnly: (attributes & Pam.write) === 0 };
  const start = ONE_MIB - lowRomBytes(memory.rom);
  if (base < start) return undefined;
  return { hva: memory.rom.memory.hva + memory.rom.size - (ONE_MIB - base), readOnly: true };
}

/** How much of the ROM's end shows below 1 MiB. */
export function lowRomBytes(rom: Rom): number {
  return Math.min(rom.size, LOW_ROM_LIMIT);
}

export class ShadowSlots {
  readonly #vm: Vm;
  readonly #memory: MachineMemory;

  constructor(vm: Vm, memory: MachineMemory) {
    this.#vm = vm;
    this.#memory = memory;
  }

  /** Every segment as after power-on, on a VM that has no slots for them yet. */
  create(): void {
    PAM_SEGMENTS.forEach((segment, index) => {
      this.#place(index, segment, 0);
    });
  }

  /** With no vCPU in the guest. */
  apply(changes: readonly PamChange[]): void {
    for (const { segment: index, attributes } of changes) {
      const segment = PAM_SEGMENTS[index];
      if (segment === undefined) continue;
      // A slot that is not there is gone already.
      this.#vm.setMemoryRegion({ slot: MemorySlot.pam(index), gpa: segment.base, size: 0, hva: 0 });
      this.#place(index, segment, attributes);
    }
  }

  #place(index: number, segment: PamSegment, attributes: number): void {
    const place = slotPlace(this.#memory, segment, attributes);
    if (place === undefined) return;
    const { base, length } = segment;
    const result = this.#vm.setMemoryRegion({ slot: MemorySlot.pam(index), gpa: base, size: length, ...place });
    checked("KVM_SET_USER_MEMORY_REGION", result, `give the guest its memory at 0x${base.toString(16)}`);
  }
}
