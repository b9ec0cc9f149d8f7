/**
 * The memory map that every boot protocol hands to the guest.
 *
 * [ACPI] ACPI 6.5, 15 "System Address Map Interfaces"
 */
import {
  BIOS_AREA_START,
  E820,
  EBDA_START,
  HIGH_RAM_START,
  KVM_IDENTITY_MAP,
  KVM_TSS,
  LEGACY_HOLE_START,
  ONE_MIB,
  XEN_SPECIAL_BASE,
  XEN_SPECIAL_PAGES,
  splitRam,
} from "../../shared/layout.js";
import type { E820Entry, E820Type } from "../../shared/layout.js";
import { PAGE_SIZE, gpa } from "../../shared/brand.js";

/** Pages of the task state segment that KVM keeps on Intel hosts. */
const KVM_TSS_PAGES = 3;
const E820_BYTES = 20;

/**
 * The map of a machine with `ramBytes` of RAM, ascending and without overlaps. Video memory and option ROMs
 * (0xa0000 to 0xdffff) stay unlisted, as PC firmware leaves them; nothing there is RAM to the guest.
 */
export function buildE820(ramBytes: number): readonly E820Entry[] {
  const { low, high } = splitRam(ramBytes);
  return [
    entry(0, Math.min(low, EBDA_START), E820.ram),
    entry(EBDA_START, LEGACY_HOLE_START, E820.reserved),
    // The ACPI tables of a direct boot are here.
    entry(BIOS_AREA_START, ONE_MIB, E820.reserved),
    entry(ONE_MIB, low, E820.ram),
    ...reservedPages(),
    entry(HIGH_RAM_START, HIGH_RAM_START + high, E820.ram),
  ].filter(({ length }) => length > 0);
}

/**
 * The map for firmware, which takes its own pieces out of RAM and knows its ROM: RAM in whole blocks, and what else it must
 * keep clear.
 */
export function firmwareE820(ramBytes: number): readonly E820Entry[] {
  const { low, high } = splitRam(ramBytes);
  return [entry(0, low, E820.ram), ...reservedPages(), entry(HIGH_RAM_START, HIGH_RAM_START + high, E820.ram)].filter(
    ({ length }) => length > 0,
  );
}

/** Address, length and type of each entry: 20 bytes, as int 15h, e820 gives them. [ACPI] 15.1 */
export function encodeE820(entries: readonly E820Entry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * E820_BYTES);
  const view = new DataView(bytes.buffer);
  entries.forEach(({ base, length, type }, index) => {
    view.setBigUint64(index * E820_BYTES, BigInt(base), true);
    view.setBigUint64(index * E820_BYTES + 8, BigInt(length), true);
    view.setUint32(index * E820_BYTES + 16, type, true);
  });
  return bytes;
}

/** Guests learn of these pages by HVM parameters, or not at all, and must not put device memory over them. */
function reservedPages(): readonly E820Entry[] {
  return [
    entry(XEN_SPECIAL_BASE, XEN_SPECIAL_BASE + XEN_SPECIAL_PAGES * PAGE_SIZE, E820.reserved),
    entry(KVM_IDENTITY_MAP, KVM_TSS + KVM_TSS_PAGES * PAGE_SIZE, E820.reserved),
  ];
}

function entry(start: number, end: number, type: E820Type): E820Entry {
  return { base: gpa(start), length: end - start, type };
}
