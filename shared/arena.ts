/**
 * Shared state by construction order. Every thread that builds the same machine from the same configuration walks the
 * same constructors in the same order, and so gets the same offsets into the one SharedArrayBuffer.
 */

const CACHE_LINE = 64;

export class SharedArena {
  readonly buffer: SharedArrayBuffer;
  #next: number;

  constructor(buffer: SharedArrayBuffer, start = 0) {
    this.buffer = buffer;
    this.#next = start;
  }

  /** Bytes handed out so far, counted from the start of the buffer. */
  get used(): number {
    return this.#next;
  }

  /** `length` bytes, on a cache line of their own so that two devices never share one. */
  uint8(length: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.buffer, this.#take(length, CACHE_LINE), length);
  }

  /** `length` 32-bit words, for Atomics. */
  int32(length: number): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.buffer, this.#take(length * 4, CACHE_LINE), length);
  }

  uint32(length: number): Uint32Array<SharedArrayBuffer> {
    return new Uint32Array(this.buffer, this.#take(length * 4, CACHE_LINE), length);
  }

  /** `length` doubles: nanoseconds and addresses up to 2^53. Not atomic: touch them under a lock. */
  float64(length: number): Float64Array<SharedArrayBuffer> {
    return new Float64Array(this.buffer, this.#take(length * 8, CACHE_LINE), length);
  }

  /** Offset of `length` bytes aligned to `alignment` (a power of two). */
  reserve(length: number, alignment: number): number {
    return this.#take(length, alignment);
  }

  #take(length: number, alignment: number): number {
    const start = Math.ceil(this.#next / alignment) * alignment;
    if (start + length > this.buffer.byteLength) {
      throw new RangeError(`Cannot place ${length} bytes of shared state: ${this.buffer.byteLength - start} are left`);
    }
    this.#next = start + length;
    return start;
  }
}
