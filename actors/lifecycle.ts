/**
 * How a machine stops, in shared memory: whether vCPUs may run, and why the machine came to its end.
 *
 * Any thread may ask; the first reason wins. vCPU threads look at `stopping` between exits, come back to their event
 * loops, and the machine in the embedding program's thread decides what follows.
 */
import type { SharedArena } from "../shared/arena.js";

/** Why the guest's run ended. The numbers live in shared memory only. */
const REASONS = [
  "none",
  "poweroff",
  "reset",
  "crash",
  "suspend",
  "soft-reset",
  "debug-exit",
  "failed",
  "watchdog",
] as const;
export type EndReason = (typeof REASONS)[number];

const STOPPING = 0;
const REASON = 1;
const DETAIL = 2;
const VCPU = 3;

export class Lifecycle {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena) {
    this.#words = arena.int32(4);
  }

  /** True when vCPU threads must leave their loops. */
  get stopping(): boolean {
    return Atomics.load(this.#words, STOPPING) !== 0;
  }

  /** Asks the vCPUs to stop; the caller kicks them afterwards. */
  stop(): void {
    Atomics.store(this.#words, STOPPING, 1);
  }

  /** Lets vCPUs run again and forgets why they stopped. With all of them at rest. */
  clear(): void {
    Atomics.store(this.#words, REASON, 0);
    Atomics.store(this.#words, DETAIL, 0);
    Atomics.store(this.#words, STOPPING, 0);
  }

  /** Ends the run for `reason`; true for the first who says so. `detail` goes with it (an exit code, for one). */
  end(reason: Exclude<EndReason, "none">, vcpu: number, detail = 0): boolean {
    const first = Atomics.compareExchange(this.#words, REASON, 0, REASONS.indexOf(reason)) === 0;
    if (first) {
      Atomics.store(this.#words, DETAIL, detail);
      Atomics.store(this.#words, VCPU, vcpu);
    }
    this.stop();
    return first;
  }

  get reason(): EndReason {
    return REASONS[Atomics.load(this.#words, REASON)] ?? "none";
  }

  get detail(): number {
    return Atomics.load(this.#words, DETAIL);
  }

  /** The vCPU that ended it, or -1. */
  get vcpu(): number {
    return Atomics.load(this.#words, VCPU);
  }
}
