/**
 * A mutual-exclusion lock in shared memory, after "Futexes Are Tricky" (Drepper, 2011), mutex 2:
 * 0 free, 1 held, 2 held and somebody may wait. Not re-entrant. Hold it for microseconds only.
 */

const FREE = 0;
const HELD = 1;
const CONTENDED = 2;
/** Tries before sleeping: holders run a few hundred nanoseconds, a futex sleep costs tens of microseconds. */
const SPINS = 200;

export class Lock {
  readonly #word: Int32Array<SharedArrayBuffer>;

  /** `word` is one 32-bit word, zero at the start. */
  constructor(word: Int32Array<SharedArrayBuffer>) {
    this.#word = word;
  }

  acquire(): void {
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.compareExchange(this.#word, 0, FREE, HELD) === FREE) return;
    }
    // From here on the word says CONTENDED, so the holder's release wakes one of us.
    while (Atomics.exchange(this.#word, 0, CONTENDED) !== FREE) Atomics.wait(this.#word, 0, CONTENDED);
  }

  /** What `action` answers, which holds the lock; it is let go of whatever comes of that. */
  hold<T>(action: () => T): T {
    this.acquire();
    try {
      return action();
    } finally {
      this.release();
    }
  }

  release(): void {
    if (Atomics.exchange(this.#word, 0, FREE) === CONTENDED) Atomics.notify(this.#word, 0, 1);
  }
}
