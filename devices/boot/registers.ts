/**
 * What the first vCPU starts with, as plain data: each boot protocol chooses one of two states, and whoever owns the
 * vCPU turns it into KVM's structures.
 *
 * [SDM] Intel SDM vol. 3A, 2.5 (control registers), 3.4.5 (segment descriptors), 4.5 (4-level paging), 8.2 (TSS)
 */
import type { GuestMemory } from "../../shared/memory.js";
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gpa } from "../../shared/brand.js";
import type { Placement } from "./placement.js";

/** A segment register with its hidden part: the fields of `struct kvm_segment`. */
export interface BootSegment {
  readonly base: number;
  readonly limit: number;
  readonly selector: number;
  readonly type: number;
  readonly present: number;
  readonly dpl: number;
  readonly db: number;
  readonly s: number;
  readonly l: number;
  readonly g: number;
  readonly avl: number;
  readonly unusable: number;
}

export interface DescriptorTable {
  readonly base: number;
  readonly limit: number;
}

/** Registers that are not named here start as 0. */
export interface BootRegisters {
  readonly mode: "long64" | "protected32";
  readonly rip: number;
  readonly rsp: number;
  readonly rflags: number;
  readonly rax: number;
  readonly rbx: number;
  readonly rsi: number;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly cs: BootSegment;
  /** For ds, es, fs, gs and ss. */
  readonly data: BootSegment;
  readonly tr: BootSegment;
  readonly ldt: BootSegment;
  readonly gdt: DescriptorTable;
  readonly idt: DescriptorTable;
}

/** Where a loader has put what the first instructions stand on. */
export interface EntryPages {
  readonly gdt: Gpa;
  /** First byte behind the stack. */
  readonly stackTop: Gpa;
  /** PML4, PDPT and four page directories. */
  readonly pageTables: Gpa;
}

/** Selectors that Linux wants from its boot loader; the other protocols leave the choice to us. */
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;
const BOOT_TSS = 0x20;
/** Null, null, code, data, and a TSS descriptor that takes two slots in long mode. */
const GDT_BYTES = 0x30;

const CR0_PE = 1 << 0;
/** Hard-wired to 1 since the Pentium. */
const CR0_ET = 1 << 4;
const CR0_PG = 0x8000_0000;
const CR4_PAE = 1 << 5;
const EFER_LME = 1 << 8;
const EFER_LMA = 1 << 10;
/** Bit 1 always reads as 1; interrupts are off. */
const RFLAGS_RESET = 0x2;

/** [SDM] table 3-1: execute/read and read/write, accessed; [SDM] table 3-2: busy TSS. */
const TYPE_CODE = 0xb;
const TYPE_DATA = 0x3;
const TYPE_BUSY_TSS = 0xb;
const TSS_LIMIT = 0x67;

const PTE_PRESENT_WRITABLE = 0x3;
/** A page directory entry that maps 2 MiB itself. */
const PDE_LARGE = 0x80;
const LARGE_PAGE = 2 * 1024 * 1024;
const ENTRIES = 512;
/** Page directories, 1 GiB each: together all addresses below 4 GiB. */
const DIRECTORIES = 4;
const PAGE_TABLE_PAGES = 2 + DIRECTORIES;

const FLAT = {
  base: 0,
  limit: 0xffff_ffff,
  present: 1,
  dpl: 0,
  db: 1,
  s: 1,
  l: 0,
  g: 1,
  avl: 0,
  unusable: 0,
} as const;
const CODE32: BootSegment = { ...FLAT, selector: BOOT_CS, type: TYPE_CODE };
const CODE64: BootSegment = { ...CODE32, db: 0, l: 1 };
const DATA: BootSegment = { ...FLAT, selector: BOOT_DS, type: TYPE_DATA };
const TSS: BootSegment = {
  ...FLAT,
  selector: BOOT_TSS,
  limit: TSS_LIMIT,
  type: TYPE_BUSY_TSS,
  db: 0,
  s: 0,
  g: 0,
};
const NO_LDT: BootSegment = { ...FLAT, selector: 0, limit: 0, type: 0, present: 0, db: 0, s: 0, g: 0, unusable: 1 };

/** Takes room for {@link EntryPages}; undefined when guest RAM is too full. */
export function placeEntryPages(placement: Placement): EntryPages | undefined {
  const gdt = placement.takeLowest(PAGE_SIZE, PAGE_SIZE);
  const stack = placement.takeLowest(PAGE_SIZE, PAGE_SIZE);
  const pageTables = placement.takeLowest(PAGE_TABLE_PAGES * PAGE_SIZE, PAGE_SIZE);
  if (gdt === undefined || stack === undefined || pageTables === undefined) return undefined;
  return { gdt, stackTop: (stack + PAGE_SIZE) as Gpa, pageTables };
}

/** General registers that a boot protocol gives a meaning. */
export interface EntryValues {
  readonly rip: number;
  readonly rax?: number;
  readonly rbx?: number;
  readonly rsi?: number;
}

/** 32-bit protected mode, flat segments, paging off; writes the GDT. */
export function enterProtected32(memory: GuestMemory, pages: EntryPages, values: EntryValues): BootRegisters {
  memory.write(pages.gdt, encodeGdt(CODE32));
  return {
    mode: "protected32",
    ...general(pages, values),
    cr0: CR0_PE | CR0_ET,
    cr3: 0,
    cr4: 0,
    efer: 0,
    cs: CODE32,
  };
}

/** 64-bit mode with the first 4 GiB mapped one to one; writes the GDT and the page tables. */
export function enterLong64(memory: GuestMemory, pages: EntryPages, values: EntryValues): BootRegisters {
  memory.write(pages.gdt, encodeGdt(CODE64));
  memory.write(pages.pageTables, encodeIdentityMap(pages.pageTables));
  return {
    mode: "long64",
    ...general(pages, values),
    cr0: CR0_PE + CR0_ET + CR0_PG,
    cr3: pages.pageTables,
    cr4: CR4_PAE,
    efer: EFER_LME | EFER_LMA,
    cs: CODE64,
  };
}

function general(
  pages: EntryPages,
  values: EntryValues,
): Omit<BootRegisters, "mode" | "cr0" | "cr3" | "cr4" | "efer" | "cs"> {
  return {
    rip: values.rip,
    rsp: pages.stackTop,
    rflags: RFLAGS_RESET,
    rax: values.rax ?? 0,
    rbx: values.rbx ?? 0,
    rsi: values.rsi ?? 0,
    data: DATA,
    tr: TSS,
    ldt: NO_LDT,
    gdt: { base: pages.gdt, limit: GDT_BYTES - 1 },
    // No handlers: a fault this early has nowhere to go and ends the guest as a triple fault.
    idt: { base: 0, limit: 0 },
  };
}

function encodeGdt(code: BootSegment): Uint8Array {
  const bytes = new Uint8Array(GDT_BYTES);
  const view = new DataView(bytes.buffer);
  for (const segment of [code, DATA, TSS]) putDescriptor(view, segment);
  return bytes;
}

/** [SDM] figure 3-8. The limit is in pages when `g` is set; every base of ours is 0. */
function putDescriptor(view: DataView, segment: BootSegment): void {
  const limit = segment.g === 1 ? segment.limit >>> 12 : segment.limit;
  view.setUint32(segment.selector, limit & 0xffff, true);
  const access = segment.type | (segment.s << 4) | (segment.dpl << 5) | (segment.present << 7);
  const flags = segment.avl | (segment.l << 1) | (segment.db << 2) | (segment.g << 3);
  view.setUint32(segment.selector + 4, (access << 8) | (limit & 0xf_0000) | (flags << 20), true);
}

/** [SDM] 4.5: one PML4 entry, four PDPT entries, and 2 MiB pages. */
function encodeIdentityMap(base: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_TABLE_PAGES * PAGE_SIZE);
  const view = new DataView(bytes.buffer);
  const pdpt = PAGE_SIZE;
  const directories = 2 * PAGE_SIZE;
  view.setUint32(0, base + pdpt + PTE_PRESENT_WRITABLE, true);
  for (let i = 0; i < DIRECTORIES; i++) {
    view.setUint32(pdpt + i * 8, base + directories + i * PAGE_SIZE + PTE_PRESENT_WRITABLE, true);
  }
  for (let i = 0; i < DIRECTORIES * ENTRIES; i++) {
    view.setUint32(directories + i * 8, i * LARGE_PAGE + PDE_LARGE + PTE_PRESENT_WRITABLE, true);
  }
  return bytes;
}
