/**
 * Which of its RAM frames the guest holds: its balloon driver gives frames up and takes them back.
 *
 * [MEMORY] xen.git xen/include/public/memory.h (XENMEM_decrease_reservation, XENMEM_populate_physmap)
 *
 * A frame that was given up loses its contents, and the host gets its memory: it reads as zeros. Not modelled: a fault on
 * access in between; the frame stays RAM, as the guest's page tables must not reach it any more.
 */
import type { SharedArena } from "../shared/arena.js";
import { ramFrames } from "./domain-config.js";
import type { FrameRun } from "./domain-config.js";

export interface ReservationSnapshot {
  readonly released: readonly number[];
}

export class Reservation {
  readonly #ram: readonly FrameRun[];
  /** One bit per RAM frame, set while the guest does not hold it. */
  readonly #released: Int32Array<SharedArrayBuffer>;
  /** Number of bits set. */
  readonly #count: Int32Array<SharedArrayBuffer>;
  /** Frames of RAM that the domain may have. */
  readonly maximum: number;
  /** Highest RAM frame. */
  readonly highest: number;

  constructor(arena: SharedArena, ram: readonly FrameRun[]) {
    this.#ram = ram;
    this.maximum = ramFrames({ ram });
    this.highest = ram.reduce((top, run) => Math.max(top, run.first + run.count - 1), 0);
    this.#released = arena.int32((this.maximum >>> 5) + 1);
    this.#count = arena.int32(1);
  }

  /** The guest holds all of its RAM. */
  reset(): void {
    this.#released.fill(0);
    this.#count.fill(0);
  }

  /** Frames that the guest holds. */
  get current(): number {
    return this.maximum - Atomics.load(this.#count, 0);
  }

  /** Whether `frame` is RAM of this machine, held or not. */
  isRam(frame: number): boolean {
    return this.#index(frame) >= 0;
  }

  /** Whether `frame` is RAM that the guest holds. */
  holds(frame: number): boolean {
    const index = this.#index(frame);
    return index >= 0 && (Atomics.load(this.#released, index >>> 5) & (1 << (index & 31))) === 0;
  }

  /** Takes `frame` from the guest; false when it does not hold it. The caller discards its contents. */
  release(frame: number): boolean {
    const index = this.#index(frame);
    if (index < 0) return false;
    const bit = 1 << (index & 31);
    if ((Atomics.or(this.#released, index >>> 5, bit) & bit) !== 0) return false;
    Atomics.add(this.#count, 0, 1);
    return true;
  }

  /** Gives `frame` back; false when the guest holds it, or it is not RAM. */
  populate(frame: number): boolean {
    const index = this.#index(frame);
    if (index < 0) return false;
    const bit = 1 << (index & 31);
    if ((Atomics.and(this.#released, index >>> 5, ~bit) & bit) === 0) return false;
    Atomics.sub(this.#count, 0, 1);
    return true;
  }

  save(): ReservationSnapshot {
    return { released: Array.from(this.#released) };
  }

  restore(state: ReservationSnapshot): void {
    this.#released.set(state.released);
    let count = 0;
    for (const word of state.released) for (let bits = word; bits !== 0; bits &= bits - 1) count++;
    Atomics.store(this.#count, 0, count);
  }

  /** Position of `frame` among the RAM frames, -1 when it is none. */
  #index(frame: number): number {
    let before = 0;
    for (const run of this.#ram) {
      if (frame >= run.first && frame < run.first + run.count) return before + frame - run.first;
      before += run.count;
    }
    return -1;
  }
}
