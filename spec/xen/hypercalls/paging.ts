/** Page tables of a guest's kernel: memory one to one, and pages of choice elsewhere. [SDM] volume 3A, 4.4 and 4.5 */
import type { MemoryRegion } from "../../../shared/memory.js";
import type { PagingRegisters, PagingSource } from "../../../shared/virtual-memory.js";

export const PAGE = 4096;
/** Where the tables lie, one page after the other. */
const TABLES = 0xe_0000;

const PRESENT = 1;
const WRITABLE = 2;
const LARGE = 0x80;
const PG_WP_PE = 0x8001_0001;
const PAE = 0x20;
const LME_LMA = 0x500;
const LARGE_PAGE = 0x20_0000;
/** What is mapped one to one: RAM, and the 2 MiB around 0xfe000000. */
const ONE_TO_ONE = [0, 0xfe00_0000] as const;

export class Paging implements PagingSource {
  readonly #ram: MemoryRegion;
  /** Levels of tables; a 32-bit kernel's PAE has 3. */
  readonly #levels: 4 | 3;
  #used = 1;

  constructor(ram: MemoryRegion, mode: 64 | 32) {
    this.#ram = ram;
    this.#levels = mode === 64 ? 4 : 3;
    for (const address of ONE_TO_ONE) this.#mapLarge(BigInt(address));
  }

  load(into: PagingRegisters): void {
    into.cr0 = PG_WP_PE;
    into.cr3 = TABLES;
    into.cr4 = PAE;
    into.efer = this.#levels === 4 ? LME_LMA : 0;
  }

  /** Shows `physical` at the page `address`. */
  map(address: bigint, physical: number, writable: boolean): void {
    this.#write(this.#entry(address, 1), physical + PRESENT + (writable ? WRITABLE : 0));
  }

  #mapLarge(address: bigint): void {
    const start = address - (address % BigInt(LARGE_PAGE));
    this.#write(this.#entry(start, 2), Number(start) + PRESENT + WRITABLE + LARGE);
  }

  /** Physical address of the entry of `level` for `address`, with the tables above it. */
  #entry(address: bigint, level: number): number {
    let table = TABLES;
    for (let at: number = this.#levels; ; at--) {
      const index = Number((address >> BigInt(12 + 9 * (at - 1))) & 511n);
      const entry = table + index * 8;
      if (at === level) return entry;
      const next = this.#ram.view.getUint32(entry, true);
      table = next === 0 ? TABLES + this.#used++ * PAGE : next - (next % PAGE);
      // PAE's four entries at the top have no rights, [SDM] 4.4.1.
      if (next === 0) this.#write(entry, table + PRESENT + (at === 3 && this.#levels === 3 ? 0 : WRITABLE));
    }
  }

  #write(entry: number, value: number): void {
    this.#ram.view.setUint32(entry, value, true);
  }
}
