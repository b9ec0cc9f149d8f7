/** The guest-physical layout of the machine: every address with its reason, derived ones computed from the others. */
import { gpa, gpaToGfn } from "./brand.js";
import type { Gfn, Gpa } from "./brand.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Where PC firmware keeps its data area; conventional memory below it is RAM. */
export const EBDA_START = gpa(0x9_fc00);
/** Legacy video memory, then option ROMs, up to 1 MiB: not RAM to the guest, unless firmware makes it so. */
export const LEGACY_HOLE_START = gpa(0xa_0000);
/** From here to 1 MiB the 440FX's attribute map decides between RAM and ROM. Below is video memory, always a hole. */
export const OPTION_ROM_START = gpa(0xc_0000);
/** How much of the firmware's ROM shows below 1 MiB at most, in bytes. */
export const LOW_ROM_LIMIT = 128 * KIB;
/** A machine without firmware has one page of ROM, for the reset vector. */
export const RESET_PAGE = gpa(0xffff_f000);
/** A ROM ends at 4 GiB; below it, from here, nothing else may be. */
export const ROM_LIMIT_START = gpa(0xff80_0000);
/** ACPI tables of a direct boot live in the BIOS area, where the RSDP scan looks. */
export const BIOS_AREA_START = gpa(0xe_0000);
export const ONE_MIB = gpa(MIB);

/** RAM below 4 GiB ends here at the latest; above it are PCI windows and chips. */
export const LOW_RAM_LIMIT = gpa(3.5 * GIB);
const PCI_WINDOW_STARTS = [gpa(2 * GIB), gpa(3 * GIB)] as const;
/** RAM that does not fit below goes on here. */
export const HIGH_RAM_START = gpa(4 * GIB);

/** PCI memory window: BARs are assigned in it, up to the chips. */
export const PCI_WINDOW_END = gpa(0xfec0_0000);

export const IOAPIC_BASE = gpa(0xfec0_0000);
export const HPET_BASE = gpa(0xfed0_0000);
export const LAPIC_BASE = gpa(0xfee0_0000);

/**
 * Pages that Xen's domain builder keeps just below the LAPIC's neighbours: four frames, of which the guest learns two by
 * HVM_PARAM_CONSOLE_PFN and HVM_PARAM_STORE_PFN. Reserved in the e820 map.
 */
export const XEN_SPECIAL_BASE = gpa(0xfeff_8000);
export const XEN_SPECIAL_PAGES = 4;
export const CONSOLE_GFN: Gfn = gpaToGfn(XEN_SPECIAL_BASE);
export const XENSTORE_GFN: Gfn = (CONSOLE_GFN + 1) as Gfn;

/** Pages that KVM needs for itself on Intel hosts: the TSS (3 pages) and the identity map, just under the BIOS. */
export const KVM_IDENTITY_MAP = gpa(0xfeff_c000);
export const KVM_TSS = gpa(0xfeff_d000);

/** Where the PCI memory window starts behind low RAM: where SeaBIOS has it start. */
export function pciWindowStart(ramBytes: number): Gpa {
  const { low } = splitRam(ramBytes);
  const start = PCI_WINDOW_STARTS.find((each) => low <= each);
  return start ?? LOW_RAM_LIMIT;
}

/** How `ramBytes` of guest RAM is laid out: below the hole, then from 4 GiB. */
export function splitRam(ramBytes: number): { readonly low: number; readonly high: number } {
  const low = Math.min(ramBytes, LOW_RAM_LIMIT);
  return { low, high: ramBytes - low };
}

/** One row of the memory map that the guest is given. */
export interface E820Entry {
  readonly base: Gpa;
  readonly length: number;
  readonly type: E820Type;
}

/** ACPI 6.5, table 15.4: address range types. */
export const E820 = { ram: 1, reserved: 2, acpi: 3, nvs: 4 } as const;
export type E820Type = (typeof E820)[keyof typeof E820];
