/** Sums what the guest did, over all its lives: a reset makes it count from nothing. */
import type { GuestCount } from "./guest-lines.js";
import type { WorkloadCount } from "./options.js";

const NOTHING: GuestCount = { events: 0, operations: 0, longestUs: 0 };

export class Tally {
  readonly #former = new Map<string, GuestCount>();
  #current: ReadonlyMap<string, GuestCount> = new Map();

  /** What this life has done so far. */
  update(counts: ReadonlyMap<string, GuestCount>): void {
    this.#current = counts;
  }

  /** Another life starts; what the last one did after its last beat is not known, and not counted. */
  startOver(): void {
    for (const [name, count] of this.#current) this.#former.set(name, this.#sum(name, count));
    this.#current = new Map();
  }

  get workloads(): readonly WorkloadCount[] {
    const names = new Set([...this.#former.keys(), ...this.#current.keys()]);
    return [...names].map((name) => ({ name, ...this.#sum(name, this.#current.get(name)) }));
  }

  get events(): number {
    return this.workloads.reduce((sum, { events }) => sum + events, 0);
  }

  #sum(name: string, count: GuestCount = NOTHING): GuestCount {
    const former = this.#former.get(name) ?? NOTHING;
    return {
      events: count.events + former.events,
      operations: count.operations + former.operations,
      longestUs: Math.max(count.longestUs, former.longestUs),
    };
  }
}
