/**
 * Guest-virtual memory of one vCPU: walks the guest's page tables for the pointers that hypercalls carry.
 *
 * [SDM] Intel 64 and IA-32 Software Developer's Manual, volume 3A, chapter 4 (paging).
 *
 * A pointer is a pair of unsigned 32-bit halves, as a number cannot hold a kernel address. Accesses are those of a
 * supervisor: user/supervisor bits, SMAP, protection keys and execute-disable do not matter, CR0.WP does.
 * Not modelled: setting of accessed and dirty bits, [SDM] 4.8; the pages of a kernel's own data are not reclaimed by them.
 */
import { PAGE_SIZE } from "./brand.js";
import type { Gfn } from "./brand.js";
import type { GuestMemory, MemoryRegion, OverlayDirectory } from "./memory.js";

/** The registers that decide how addresses are translated. Plain numbers; only the bits that matter are kept. */
export interface PagingRegisters {
  cr0: number;
  /** All of CR3, below 2^53. */
  cr3: number;
  cr4: number;
  efer: number;
}

/** Where the registers of the vCPU at rest come from. */
export interface PagingSource {
  load(into: PagingRegisters): void;
}

/** [SDM] 2.5 and 2.2.1. */
const CR0_WP = 0x0001_0000;
const CR0_PG = 0x8000_0000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
const CR4_LA57 = 0x1000;
const EFER_LMA = 0x400;

/** Bits of a paging-structure entry, [SDM] tables 4-15 to 4-20. */
const PRESENT = 0x01;
const WRITABLE = 0x02;
const LARGE = 0x80;

const LOW_WORD = 0x1_0000_0000;
/** Address bits 51:32 in the high half of an 8-byte entry. */
const HIGH_ADDRESS = 0x000f_ffff;
const FAULT = -1;

/** Pages that one access may span: hypercall arguments are far smaller. */
const MAX_PAGES = 17;
/** Below this many bytes a loop beats `set()`, which needs a subarray made. */
const SHORT_COPY = 128;

export class VirtualMemory {
  readonly #memory: GuestMemory;
  readonly #source: PagingSource;
  readonly #overlays: OverlayDirectory | undefined;
  readonly #registers: PagingRegisters = { cr0: 0, cr3: 0, cr4: 0, efer: 0 };
  #loaded = false;
  /** Guest-physical address of each piece of the access at hand. */
  readonly #pieces = new Float64Array(MAX_PAGES);
  readonly #word = new Uint8Array(8);
  readonly #wordView = new DataView(this.#word.buffer);
  /** Halves of the entry last fetched. */
  #entryLow = 0;
  #entryHigh = 0;

  /** `overlays`, when given, win over RAM at the same frame, as they do for the guest. */
  constructor(memory: GuestMemory, source: PagingSource, overlays?: OverlayDirectory) {
    this.#memory = memory;
    this.#source = source;
    this.#overlays = overlays;
  }

  /** Starts a new hypercall: the registers are fetched again at the next access, once. */
  begin(): void {
    this.#loaded = false;
  }

  /** Copies `length` bytes at (`high`, `low`) into the start of `target`; false when a page is missing. */
  read(high: number, low: number, target: Uint8Array, length: number): boolean {
    return this.#resolve(high, low, length, false) && this.#transfer(target, length, false);
  }

  /** Copies the first `length` bytes of `source` to (`high`, `low`). Nothing is written unless every page can be. */
  write(high: number, low: number, source: Uint8Array, length: number): boolean {
    return this.#resolve(high, low, length, true) && this.#transfer(source, length, true);
  }

  /** The 32-bit word at (`high`, `low`), or -1 when it cannot be read. */
  u32(high: number, low: number): number {
    return this.read(high, low, this.#word, 4) ? this.#wordView.getUint32(0, true) : FAULT;
  }

  /** The 64-bit word as a number (rounded above 2^53), or -1 when it cannot be read. */
  u64(high: number, low: number): number {
    if (!this.read(high, low, this.#word, 8)) return FAULT;
    return this.#wordView.getUint32(0, true) + this.#wordView.getUint32(4, true) * LOW_WORD;
  }

  writeU32(high: number, low: number, value: number): boolean {
    this.#wordView.setUint32(0, value, true);
    return this.write(high, low, this.#word, 4);
  }

  /** Writes a 64-bit word given in halves. */
  writeU64(high: number, low: number, valueHigh: number, valueLow: number): boolean {
    this.#wordView.setUint32(0, valueLow, true);
    this.#wordView.setUint32(4, valueHigh, true);
    return this.write(high, low, this.#word, 8);
  }

  /** Guest-physical address behind (`high`, `low`), or -1 when it is not mapped, or not writable and `write` is wanted. */
  translate(high: number, low: number, write: boolean): number {
    if (!this.#loaded) {
      this.#source.load(this.#registers);
      this.#loaded = true;
    }
    const { cr0, cr4, efer } = this.#registers;
    const checkWrite = write && (cr0 & CR0_WP) !== 0;
    if ((cr0 & CR0_PG) === 0) return low >>> 0;
    if ((efer & EFER_LMA) !== 0) return this.#walkLong(high, low, (cr4 & CR4_LA57) !== 0, checkWrite);
    if ((cr4 & CR4_PAE) !== 0) return this.#walkPae(low, checkWrite);
    return this.#walkLegacy(low, (cr4 & CR4_PSE) !== 0, checkWrite);
  }

  /** Fills `#pieces` for `length` bytes; false when one of them cannot be accessed. */
  #resolve(high: number, low: number, length: number, write: boolean): boolean {
    let count = 0;
    for (let done = 0; done < length; count++) {
      if (count === MAX_PAGES) return false;
      const sum = (low >>> 0) + done;
      const carry = sum >= LOW_WORD ? 1 : 0;
      const at = this.translate((high + carry) >>> 0, sum >>> 0, write);
      if (at < 0) return false;
      const size = Math.min(length - done, PAGE_SIZE - (at % PAGE_SIZE));
      if (this.#physical(at, size, write) === undefined) return false;
      this.#pieces[count] = at;
      done += size;
    }
    return true;
  }

  /** Moves `length` bytes between `data` and the pieces just resolved; `store` is towards the guest. */
  #transfer(data: Uint8Array, length: number, store: boolean): boolean {
    let done = 0;
    for (let i = 0; done < length; i++) {
      const at = this.#pieces[i] ?? 0;
      const size = Math.min(length - done, PAGE_SIZE - (at % PAGE_SIZE));
      // Only an overlay page that another vCPU takes away meanwhile can be missing here.
      const region = this.#physical(at, size, store);
      if (region === undefined) return false;
      const { bytes } = region;
      const offset = at - region.gpa;
      if (size > SHORT_COPY) {
        if (store) bytes.set(data.subarray(done, done + size), offset);
        else data.set(bytes.subarray(offset, offset + size), done);
      } else if (store) {
        for (let k = 0; k < size; k++) bytes[offset + k] = data[done + k] ?? 0;
      } else {
        for (let k = 0; k < size; k++) data[done + k] = bytes[offset + k] ?? 0;
      }
      done += size;
    }
    return true;
  }

  #physical(at: number, length: number, store: boolean): MemoryRegion | undefined {
    const overlay = this.#overlays?.page(Math.floor(at / PAGE_SIZE) as Gfn);
    if (overlay !== undefined) return overlay;
    return store ? this.#memory.storable(at, length) : this.#memory.region(at, length);
  }

  /** [SDM] 4.5: four levels, five with LA57, of 512 entries of 8 bytes. */
  #walkLong(high: number, low: number, fiveLevels: boolean, checkWrite: boolean): number {
    // Canonical: the bits above the translated ones repeat the highest of them.
    const shift = fiveLevels ? 24 : 15;
    const sign = (high | 0) >> shift;
    if (sign !== 0 && sign !== -1) return FAULT;
    let table = tableAddress(this.#registers.cr3);
    for (let level = fiveLevels ? 5 : 4; level >= 1; level--) {
      const index = indexAt(high, low, level);
      if (!this.#fetch8(table + index * 8) || !this.#allows(checkWrite)) return FAULT;
      if (level === 1) return this.#entryAddress(0xffff_f000) + (low & 0xfff);
      if ((this.#entryLow & LARGE) !== 0) return this.#largePage(low, level);
      table = this.#entryAddress(0xffff_f000);
    }
    return FAULT;
  }

  /** [SDM] 4.4: four entries without rights at the top, then two levels of 512. */
  #walkPae(low: number, checkWrite: boolean): number {
    // Only CR3's low half counts, from bit 5.
    const top = (this.#registers.cr3 % LOW_WORD) - (this.#registers.cr3 % 32);
    if (!this.#fetch8(top + (low >>> 30) * 8) || (this.#entryLow & PRESENT) === 0) return FAULT;
    let table = this.#entryAddress(0xffff_f000);
    for (let level = 2; level >= 1; level--) {
      if (!this.#fetch8(table + indexAt(0, low, level) * 8) || !this.#allows(checkWrite)) return FAULT;
      if (level === 1) break;
      if ((this.#entryLow & LARGE) !== 0) return this.#largePage(low, level);
      table = this.#entryAddress(0xffff_f000);
    }
    return this.#entryAddress(0xffff_f000) + (low & 0xfff);
  }

  /** [SDM] 4.3: two levels of 1024 entries of 4 bytes; 4 MiB pages with up to 40 address bits (PSE-36). */
  #walkLegacy(low: number, largePages: boolean, checkWrite: boolean): number {
    const top = (this.#registers.cr3 % LOW_WORD) - (this.#registers.cr3 % PAGE_SIZE);
    if (!this.#fetch4(top + (low >>> 22) * 4) || !this.#allows(checkWrite)) return FAULT;
    if (largePages && (this.#entryLow & LARGE) !== 0) {
      // Bits 20:13 hold address bits 39:32; bit 21 is reserved.
      if ((this.#entryLow & 0x0020_0000) !== 0) return FAULT;
      const above = (this.#entryLow >>> 13) & 0xff;
      return above * LOW_WORD + ((this.#entryLow & 0xffc0_0000) >>> 0) + (low & 0x3f_ffff);
    }
    const table = (this.#entryLow & 0xffff_f000) >>> 0;
    if (!this.#fetch4(table + ((low >>> 12) & 0x3ff) * 4) || !this.#allows(checkWrite)) return FAULT;
    return ((this.#entryLow & 0xffff_f000) >>> 0) + (low & 0xfff);
  }

  /** A 2 MiB (level 2) or 1 GiB (level 3) page; bits between the PAT bit and the address are reserved. */
  #largePage(low: number, level: number): number {
    if (level === 2) {
      if ((this.#entryLow & 0x001f_e000) !== 0) return FAULT;
      return this.#entryAddress(0xffe0_0000) + (low & 0x1f_ffff);
    }
    if (level !== 3 || (this.#entryLow & 0x3fff_e000) !== 0) return FAULT;
    return this.#entryAddress(0xc000_0000) + (low & 0x3fff_ffff);
  }

  #allows(checkWrite: boolean): boolean {
    return (this.#entryLow & PRESENT) !== 0 && (!checkWrite || (this.#entryLow & WRITABLE) !== 0);
  }

  #entryAddress(lowMask: number): number {
    return (this.#entryHigh & HIGH_ADDRESS) * LOW_WORD + ((this.#entryLow & lowMask) >>> 0);
  }

  #fetch8(at: number): boolean {
    const region = this.#memory.region(at, 8);
    if (region === undefined) return false;
    this.#entryLow = region.view.getUint32(at - region.gpa, true);
    this.#entryHigh = region.view.getUint32(at - region.gpa + 4, true);
    return true;
  }

  #fetch4(at: number): boolean {
    const region = this.#memory.region(at, 4);
    if (region === undefined) return false;
    this.#entryLow = region.view.getUint32(at - region.gpa, true);
    return true;
  }
}

/** CR3 without its flag bits, below 2^52. */
function tableAddress(cr3: number): number {
  return (cr3 - (cr3 % PAGE_SIZE)) % 2 ** 52;
}

/** The 9 address bits that index the table of `level`, 1 for the last. */
function indexAt(high: number, low: number, level: number): number {
  switch (level) {
    case 1:
      return (low >>> 12) & 0x1ff;
    case 2:
      return (low >>> 21) & 0x1ff;
    case 3:
      return ((low >>> 30) | (high << 2)) & 0x1ff;
    case 4:
      return (high >>> 7) & 0x1ff;
    default:
      return (high >>> 16) & 0x1ff;
  }
}
