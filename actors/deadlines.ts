/**
 * Deadlines of devices and timers, in shared memory. Any thread arms one; the device actor sleeps until the earliest and
 * is rung only when somebody arms one that is earlier still.
 */
import type { SharedArena } from "../shared/arena.js";

/** Deadlines of the board's chips, by index. */
export const BoardDeadline = { pit: 0, rtc: 1, acpiPm: 2 } as const;
export const BOARD_DEADLINES = 3;

/** After the board's: a Xen timer for each vCPU, then for each the next try to inject an upcall. */
export function timerDeadline(vcpu: number): number {
  return BOARD_DEADLINES + vcpu;
}

export function upcallDeadline(vcpu: number, vcpus: number): number {
  return BOARD_DEADLINES + vcpus + vcpu;
}

export function deadlineCount(vcpus: number): number {
  return BOARD_DEADLINES + 2 * vcpus;
}

export class Deadlines {
  readonly #at: Float64Array<SharedArrayBuffer>;
  readonly #sleepUntil: Float64Array<SharedArrayBuffer>;
  /** Touched by an atomic operation between a store and the load that must come after it. */
  readonly #fence: Int32Array<SharedArrayBuffer>;
  readonly #ring: () => void;

  /** `count` deadlines; `ring` wakes the device actor. */
  constructor(arena: SharedArena, count: number, ring: () => void) {
    this.#at = arena.float64(count);
    this.#sleepUntil = arena.float64(1);
    this.#fence = arena.int32(1);
    this.#ring = ring;
  }

  reset(): void {
    this.#at.fill(Infinity);
    this.#sleepUntil[0] = 0;
  }

  /** Sets deadline `index` to `ns` of machine time; Infinity disarms. */
  arm(index: number, ns: number): void {
    this.#at[index] = ns;
    Atomics.add(this.#fence, 0, 1);
    if (ns < (this.#sleepUntil[0] ?? 0)) this.#ring();
  }

  get(index: number): number {
    return this.#at[index] ?? Infinity;
  }

  /** Takes every deadline up to `nowNs`: disarms it and calls `expired` with its index. */
  expire(nowNs: number, expired: (index: number) => void): void {
    for (let i = 0; i < this.#at.length; i++) {
      if ((this.#at[i] ?? Infinity) > nowNs) continue;
      this.#at[i] = Infinity;
      expired(i);
    }
  }

  /** Announces how long the device actor will sleep and returns it: a deadline armed from now on that is earlier rings. */
  sleepUntil(): number {
    for (;;) {
      const earliest = this.#earliest();
      this.#sleepUntil[0] = earliest;
      Atomics.add(this.#fence, 0, 1);
      // Armed between the look and the announcement? Then look again.
      if (this.#earliest() === earliest) return earliest;
    }
  }

  /** While the device actor is awake nobody needs to ring it for a deadline. */
  awake(): void {
    this.#sleepUntil[0] = -Infinity;
  }

  #earliest(): number {
    let earliest = Infinity;
    for (let i = 0; i < this.#at.length; i++) {
      const at = this.#at[i] ?? Infinity;
      if (at < earliest) earliest = at;
    }
    return earliest;
  }
}
