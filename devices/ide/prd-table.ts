/**
 * A PRD table as the bus master walks it: entries of 8 bytes that name runs of guest memory.
 *
 * The guest may change the table meanwhile: each entry is read once. The walk ends where an entry says so, and at the
 * next multiple of 64 KiB, which a table must not cross; every entry gives at least 2 bytes. So no table is endless.
 *
 * [BMIDE] 1.2 "Physical region descriptor", 1.1 "Physical region descriptor table"
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { GuestMemory, MemoryRegion } from "../../shared/memory.js";

/** Bytes of an entry. */
const ENTRY = 8;
/** What a table lies within, and what a count of 0 stands for. */
const KIB_64 = 0x1_0000;
/** Of an entry's second word: this is the last one. */
const END_OF_TABLE = 0x8000_0000;

/** Takes the memory that a table names, piece by piece. */
export interface PieceSink {
  /** False when there is no room. */
  addPiece(region: MemoryRegion, offset: number, length: number): boolean;
}

/** Where data can go next; good until the table is asked again. */
export interface Piece {
  readonly region: MemoryRegion;
  /** Into the region, in bytes. */
  readonly offset: number;
  readonly length: number;
}

interface MutablePiece {
  region: MemoryRegion;
  offset: number;
  length: number;
}

export class PrdTable {
  readonly #memory: GuestMemory;
  #next = 0;
  /** Where the last entry was read. */
  #table: MemoryRegion | undefined = undefined;
  #ended = false;
  /** What is left of the present entry. */
  #base = 0;
  #left = 0;
  /** What {@link peek} gave last. */
  #piece: MutablePiece | undefined;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /** Starts over with the table at guest-physical address `table`. */
  start(table: number): void {
    this.#next = table;
    this.#table = undefined;
    this.#ended = false;
    this.#left = 0;
  }

  /** All that the table names has been used. */
  get exhausted(): boolean {
    return this.#left === 0 && this.#ended;
  }

  /** The next piece of memory; "end" after the last one, "fault" where the table or what it names is not memory. */
  peek(): Piece | "end" | "fault" {
    if (this.#left === 0) {
      if (this.#ended) return "end";
      if (!this.#fetch()) return "fault";
    }
    const whole = this.#memory.region(this.#base, this.#left);
    return whole === undefined ? this.#peekPage() : this.#pieceOf(whole, this.#left);
  }

  /** No region holds all that the entry names: as far as its page. */
  #peekPage(): Piece | "fault" {
    const length = Math.min(this.#left, PAGE_SIZE - (this.#base % PAGE_SIZE));
    const region = this.#memory.region(this.#base, length);
    return region === undefined ? "fault" : this.#pieceOf(region, length);
  }

  #pieceOf(region: MemoryRegion, length: number): Piece {
    const offset = this.#base - region.gpa;
    const piece = this.#piece;
    if (piece === undefined) return (this.#piece = { region, offset, length });
    piece.region = region;
    piece.offset = offset;
    piece.length = length;
    return piece;
  }

  /**
   * Gives `sink` what comes next while that is made of whole sectors of `sector` bytes, up to `most` bytes, and uses it.
   * Returns how many bytes that were.
   *
   * A table may have thousands of entries, for which the guest waits, and most lie in one region: no calls for those but
   * the sink's.
   */
  gather(sink: PieceSink, most: number, sector: number): number {
    const memory = this.#memory;
    let region: MemoryRegion | undefined;
    let room = most;
    while (room > 0) {
      if (this.#left === 0 && (this.#ended || !this.#fetch())) break;
      const base = this.#base;
      let length = this.#left;
      if (region === undefined || base < region.gpa || base + length > region.gpa + region.size) {
        region = memory.region(base, length);
        if (region === undefined) {
          // No region holds all that the entry names: as far as its page.
          length = Math.min(length, PAGE_SIZE - (base % PAGE_SIZE));
          region = memory.region(base, length);
          if (region === undefined) break;
        }
      }
      const offset = base - region.gpa;
      length -= length % sector;
      if (length > room) length = room;
      if (length === 0 || offset % sector !== 0 || !sink.addPiece(region, offset, length)) break;
      this.#base = base + length;
      this.#left -= length;
      room -= length;
    }
    return most - room;
  }

  /** The first `length` bytes of the piece just peeked at are used. */
  consume(length: number): void {
    this.#base += length;
    this.#left -= length;
  }

  #fetch(): boolean {
    let region = this.#table;
    if (region === undefined || this.#next + ENTRY > region.gpa + region.size) {
      region = this.#memory.region(this.#next, ENTRY);
      if (region === undefined) return false;
      this.#table = region;
    }
    const at = (this.#next - region.gpa) / 4;
    const base = region.words[at] ?? 0;
    const word = region.words[at + 1] ?? 0;
    // Memory and counts are in units of 2 bytes.
    this.#base = (base & ~1) >>> 0;
    this.#left = word & 0xfffe;
    if (this.#left === 0) this.#left = KIB_64;
    this.#next += ENTRY;
    this.#ended = (word & END_OF_TABLE) !== 0 || this.#next % KIB_64 === 0;
    return true;
  }
}
