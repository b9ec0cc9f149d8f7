/**
 * Machine time: nanoseconds since the machine was made, standing still while it is paused. The same in every thread.
 *
 * performance.now() counts from each thread's own origin; the origin on CLOCK_MONOTONIC is found once, at start.
 */
import type { SharedArena } from "../shared/arena.js";

const NS_PER_MS = 1e6;
const ORIGIN_SAMPLES = 8;
/** CLOCK_MONOTONIC at this thread's performance.now() == 0. */
const originNs = measureOriginNs();

/** What passes between the two readings makes the origin too early (the first even loads code): the latest is the best. */
function measureOriginNs(): number {
  let latest = -Infinity;
  for (let i = 0; i < ORIGIN_SAMPLES; i++) {
    latest = Math.max(latest, Number(process.hrtime.bigint()) - performance.now() * NS_PER_MS);
  }
  return latest;
}

export function monotonicNs(): number {
  return originNs + performance.now() * NS_PER_MS;
}

const OFFSET = 0;
const STOPPED_AT = 1;

export class MachineClock {
  readonly #state: Float64Array<SharedArrayBuffer>;

  constructor(arena: SharedArena) {
    this.#state = arena.float64(2);
  }

  /** Machine thread, once: time starts at 0, stopped. */
  reset(): void {
    this.#state[OFFSET] = monotonicNs();
    this.#state[STOPPED_AT] = 0;
  }

  get running(): boolean {
    return this.#state[STOPPED_AT] === -1;
  }

  nowNs(): number {
    const stopped = this.#state[STOPPED_AT] ?? 0;
    return stopped === -1 ? monotonicNs() - (this.#state[OFFSET] ?? 0) : stopped;
  }

  /** With all vCPUs at rest. */
  stop(): void {
    this.#state[STOPPED_AT] = this.nowNs();
  }

  start(): void {
    if (this.running) return;
    this.#state[OFFSET] = monotonicNs() - (this.#state[STOPPED_AT] ?? 0);
    this.#state[STOPPED_AT] = -1;
  }
}
