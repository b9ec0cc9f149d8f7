/**
 * A ring of bytes in shared memory between one producer and one consumer at a time (UART and console output, input typed
 * by a person). Several producers serialise among themselves by the lock of the device that owns the ring.
 *
 * Indices run freely over 2^32; producer stores bytes first and then, by an atomic store, its index.
 */
import type { SharedArena } from "./arena.js";

const PRODUCER = 0;
const CONSUMER = 1;

export class ByteRing {
  readonly #indices: Int32Array<SharedArrayBuffer>;
  readonly #data: Uint8Array<SharedArrayBuffer>;
  readonly #mask: number;

  /** `capacity` is a power of two, in bytes. */
  constructor(arena: SharedArena, capacity: number) {
    if (capacity < 1 || (capacity & (capacity - 1)) !== 0) {
      throw new RangeError(`Cannot make a ring of ${capacity} bytes: the capacity must be a power of two`);
    }
    this.#indices = arena.int32(2);
    this.#data = arena.uint8(capacity);
    this.#mask = capacity - 1;
  }

  /** Bytes that wait to be read. */
  get length(): number {
    return (Atomics.load(this.#indices, PRODUCER) - Atomics.load(this.#indices, CONSUMER)) >>> 0;
  }

  /** Bytes that can be pushed now. */
  get free(): number {
    return this.#data.length - this.length;
  }

  /** Producer: appends one byte; false when the ring is full. */
  push(value: number): boolean {
    const producer = Atomics.load(this.#indices, PRODUCER);
    if ((producer - Atomics.load(this.#indices, CONSUMER)) >>> 0 >= this.#data.length) return false;
    this.#data[(producer >>> 0) & this.#mask] = value;
    Atomics.store(this.#indices, PRODUCER, (producer + 1) | 0);
    return true;
  }

  /** Consumer: takes one byte, or -1 when there is none. */
  shift(): number {
    const consumer = Atomics.load(this.#indices, CONSUMER);
    if (consumer === Atomics.load(this.#indices, PRODUCER)) return -1;
    const value = this.#data[(consumer >>> 0) & this.#mask] ?? 0;
    Atomics.store(this.#indices, CONSUMER, (consumer + 1) | 0);
    return value;
  }

  /** Consumer: moves as many bytes as fit into `target` and returns their number. */
  drain(target: Uint8Array): number {
    let count = 0;
    for (let value = 0; count < target.length; count++) {
      value = this.shift();
      if (value < 0) break;
      target[count] = value;
    }
    return count;
  }

  /** Drops what waits. Call with both sides at rest. */
  clear(): void {
    Atomics.store(this.#indices, CONSUMER, Atomics.load(this.#indices, PRODUCER));
  }
}
