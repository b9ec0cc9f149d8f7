/** A list of struct iovec over guest memory, for the calls that move data straight between it and a descriptor. */
import type { MemoryRegion, MemorySegments } from "../../shared/memory.js";
import type { Scratch } from "./kvm.js";

const IOVEC_BYTES = 16;
const IOVEC_WORDS = 4;
const TWO_32 = 0x1_0000_0000;

export interface IovecHost {
  readonly scratch: Scratch;
  /** Host address of a buffer that holds guest memory. */
  addressOf(buffer: SharedArrayBuffer): number;
}

export class Iovecs {
  /** Host address of the first entry. */
  readonly hva: number;
  readonly #capacity: number;
  readonly #words: Uint32Array;
  readonly #addressOf: (buffer: SharedArrayBuffer) => number;
  #count = 0;
  /** The region that {@link addPiece} saw last, where it lies, and where its piece ended. */
  #placed: MemoryRegion | undefined = undefined;
  #origin = 0;
  #end = 0;

  constructor(host: IovecHost, capacity: number) {
    const { memory } = host.scratch;
    const start = host.scratch.take(capacity * IOVEC_BYTES);
    this.hva = memory.hva + start;
    this.#capacity = capacity;
    this.#words = new Uint32Array(memory.buffer, start, capacity * IOVEC_WORDS);
    this.#addressOf = (buffer) => host.addressOf(buffer);
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
    this.#end = 0;
  }

  /** Adds `length` bytes at host address `base`. What does not fit in the list is left out. */
  add(base: number, length: number): void {
    if (this.#count === this.#capacity) return;
    const words = this.#words;
    const at = this.#count++ * IOVEC_WORDS;
    // A store into a word takes the number modulo 2^32, and rounds down
    words[at] = base;
    words[at + 1] = base / TWO_32;
    words[at + 2] = length;
    words[at + 3] = 0;
  }

  /** Adds a piece of guest memory; false when there is no room. What follows on the one before is made one with it. */
  addPiece(region: MemoryRegion, offset: number, length: number): boolean {
    if (region !== this.#placed) {
      this.#origin = this.#addressOf(region.buffer) + region.start;
      this.#placed = region;
    }
    const words = this.#words;
    const base = this.#origin + offset;
    const at = this.#count * IOVEC_WORDS;
    if (base === this.#end && at > 0) {
      words[at - 2] = (words[at - 2] ?? 0) + length;
    } else {
      if (this.#count === this.#capacity) return false;
      words[at] = base;
      words[at + 1] = base / TWO_32;
      words[at + 2] = length;
      words[at + 3] = 0;
      this.#count++;
    }
    this.#end = base + length;
    return true;
  }

  /** Adds what lies in `[skip, skip + length)` of the segments. */
  gather(segments: MemorySegments, skip: number, length: number): void {
    const { segmentCount, lengths, offsets, regions } = segments;
    const words = this.#words;
    const end = this.#capacity * IOVEC_WORDS;
    let at = this.#count * IOVEC_WORDS;
    let placed: MemoryRegion | undefined;
    let origin = 0;
    for (let i = 0, left = length; i < segmentCount && left > 0 && at < end; i++) {
      let size = lengths[i] ?? 0;
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const region = regions[i];
      if (region === undefined) break;
      if (region !== placed) {
        origin = this.#addressOf(region.buffer) + region.start;
        placed = region;
      }
      const base = origin + (offsets[i] ?? 0) + skip;
      size -= skip;
      if (size > left) size = left;
      // As `add` does: for hundreds of segments a call for each is most of what they cost
      words[at] = base;
      words[at + 1] = base / TWO_32;
      words[at + 2] = size;
      words[at + 3] = 0;
      at += IOVEC_WORDS;
      left -= size;
      skip = 0;
    }
    this.#count = at / IOVEC_WORDS;
  }
}
