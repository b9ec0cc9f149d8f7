/** A list of struct iovec over guest memory, for the calls that move data straight between it and a descriptor. */
import type { MemorySegments } from "../../shared/memory.js";
import type { Scratch } from "./kvm.js";

const IOVEC_BYTES = 16;
const TWO_32 = 0x1_0000_0000;

export interface IovecHost {
  readonly scratch: Scratch;
  /** Host address of a buffer that holds guest memory. */
  addressOf(buffer: SharedArrayBuffer): number;
}

export class Iovecs {
  /** Host address of the first entry. */
  readonly hva: number;
  readonly #start: number;
  readonly #capacity: number;
  readonly #view: DataView;
  readonly #addressOf: (buffer: SharedArrayBuffer) => number;
  #count = 0;

  constructor(host: IovecHost, capacity: number) {
    const { memory } = host.scratch;
    this.#start = host.scratch.take(capacity * IOVEC_BYTES);
    this.hva = memory.hva + this.#start;
    this.#capacity = capacity;
    this.#view = new DataView(memory.buffer);
    this.#addressOf = (buffer) => host.addressOf(buffer);
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Adds `length` bytes at host address `base`. What does not fit in the list is left out. */
  add(base: number, length: number): void {
    if (this.#count === this.#capacity) return;
    const at = this.#start + this.#count++ * IOVEC_BYTES;
    this.#view.setUint32(at, base % TWO_32, true);
    this.#view.setUint32(at + 4, Math.floor(base / TWO_32), true);
    this.#view.setUint32(at + 8, length, true);
    this.#view.setUint32(at + 12, 0, true);
  }

  /** Adds what lies in `[skip, skip + length)` of the segments. */
  gather(segments: MemorySegments, skip: number, length: number): void {
    for (let i = 0, left = length; i < segments.segmentCount && left > 0; i++) {
      const size = segments.lengths[i] ?? 0;
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const region = segments.regions[i];
      if (region === undefined) return;
      const part = Math.min(size - skip, left);
      this.add(this.#addressOf(region.buffer) + region.start + (segments.offsets[i] ?? 0) + skip, part);
      left -= part;
      skip = 0;
    }
  }
}
