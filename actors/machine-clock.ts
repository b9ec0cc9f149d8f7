/**
 * Machine time: nanoseconds since the machine was made, standing still while it is paused. The same in every thread. And
 * what all threads must know of the guest's own clock, which KVM keeps (guest-clock.ts).
 *
 * performance.now() costs as much, counts from another origin in each thread, and takes a millisecond to load.
 */
import type { SharedArena } from "../shared/arena.js";

const NS_PER_S = 1e9;

/** CLOCK_MONOTONIC. */
export function monotonicNs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * NS_PER_S + nanoseconds;
}

const OFFSET = 0;
const STOPPED_AT = 1;
const GUEST_HELD = 2;
const GUEST_MOVED = 3;
const WORDS = 4;
/** A clock that runs. */
const RUNNING = -1;

export class MachineClock {
  readonly #state: Float64Array<SharedArrayBuffer>;

  constructor(arena: SharedArena) {
    this.#state = arena.float64(WORDS);
  }

  /** Machine thread, once: time starts at 0, stopped. */
  reset(): void {
    this.#state[OFFSET] = monotonicNs();
    this.#state[STOPPED_AT] = 0;
    this.#state[GUEST_HELD] = RUNNING;
    this.#state[GUEST_MOVED] = 0;
  }

  get running(): boolean {
    return this.#state[STOPPED_AT] === RUNNING;
  }

  /** CLOCK_MONOTONIC when machine time was 0: every pause moves it. */
  get originNs(): number {
    return this.#state[OFFSET] ?? 0;
  }

  nowNs(): number {
    const stopped = this.#state[STOPPED_AT] ?? 0;
    return stopped === RUNNING ? monotonicNs() - (this.#state[OFFSET] ?? 0) : stopped;
  }

  /** With all vCPUs at rest. */
  stop(): void {
    this.#state[STOPPED_AT] = this.nowNs();
  }

  start(): void {
    if (this.running) return;
    this.#state[OFFSET] = monotonicNs() - (this.#state[STOPPED_AT] ?? 0);
    this.#state[STOPPED_AT] = RUNNING;
  }

  /** The guest's clock while it is held, in ns; negative while it runs. KVM's, behind it, goes on. */
  get guestHeldNs(): number {
    return this.#state[GUEST_HELD] ?? RUNNING;
  }

  holdGuest(ns: number): void {
    this.#state[GUEST_HELD] = ns;
  }

  letGuestGo(): void {
    this.#state[GUEST_HELD] = RUNNING;
  }

  /** How far KVM's clock has been set back over all pauses, in ns. */
  get guestMovedNs(): number {
    return this.#state[GUEST_MOVED] ?? 0;
  }

  moveGuestBack(ns: number): void {
    this.#state[GUEST_MOVED] = this.guestMovedNs + ns;
  }
}
