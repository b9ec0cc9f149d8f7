/**
 * A mailbox between threads in two words of shared memory: bits that say what is wanted, and a bell to sleep on.
 *
 * Any thread posts; one thread, the owner, takes and sleeps. Who has something for the owner stores it first and rings
 * afterwards. The owner's order is: sleep on the bell, silence it, and only then look at what there is. So a post at any
 * moment either is seen by that look, or finds the bell silent, rings it, and ends the next sleep at once. Silencing after
 * the look would lose what came in between.
 */

const REQUESTS = 0;
const BELL = 1;

const SILENT = 0;
const RUNG = 1;

export class Mailbox {
  /** 32-bit words that a mailbox takes, zero at the start. */
  static readonly WORDS = 2;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    if (words.length < Mailbox.WORDS)
      throw new RangeError(`A mailbox takes ${Mailbox.WORDS} words, not ${words.length}`);
    this.#words = words;
  }

  /** Any thread: sets request bits and wakes the owner if it sleeps. */
  post(bits: number): void {
    Atomics.or(this.#words, REQUESTS, bits);
    this.wake();
  }

  /** Any thread: ends the owner's sleep, or its next one. For what is found elsewhere than in the bits. */
  wake(): void {
    Atomics.store(this.#words, BELL, RUNG);
    Atomics.notify(this.#words, BELL);
  }

  /** Owner: the bits posted since the last time. Cheap when there are none. */
  take(): number {
    if (Atomics.load(this.#words, REQUESTS) === 0) return 0;
    return Atomics.exchange(this.#words, REQUESTS, 0);
  }

  /**
   * Owner: sleeps until somebody posts or wakes, or `timeoutMs` have passed; not at all when that has happened since the
   * last sleep. True when bits wait: a wake-up alone, or the time, gives false.
   */
  wait(timeoutMs: number): boolean {
    // Posts ring too, so bits that come after this load end the sleep.
    if (Atomics.load(this.#words, REQUESTS) === 0) Atomics.wait(this.#words, BELL, SILENT, timeoutMs);
    Atomics.store(this.#words, BELL, SILENT);
    return Atomics.load(this.#words, REQUESTS) !== 0;
  }
}
