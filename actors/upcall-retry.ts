/**
 * How long an upcall that the guest cannot take waits for the next try. The try takes the vCPU out of the guest: where that and
 * the way back take longer than the wait, a guest with interrupts off would never come to turn them on. So each try in vain
 * doubles the wait: the guest has at least half of the time for itself.
 */
const FIRST_NS = 200_000;
const LONGEST_NS = 12_800_000;

export class UpcallRetry {
  #gapNs = FIRST_NS;

  /** Nanoseconds from now to the next try. */
  get gapNs(): number {
    return this.#gapNs;
  }

  /** A try took the vCPU out of the guest in vain. */
  failed(): void {
    this.#gapNs = Math.min(this.#gapNs * 2, LONGEST_NS);
  }

  /** No upcall waits any more. */
  over(): void {
    this.#gapNs = FIRST_NS;
  }
}
