/**
 * Holds back threads that trace faster than the machine's thread writes: a guest that does nothing but I/O would fill the
 * host's memory with lines that wait. One counter in shared memory: records on their way.
 */

/** Records that may be on their way, from all threads together. */
const MOST = 4096;
/** A thread that is held back looks again after this. */
const WAIT_MS = 10;
/** And goes on after so many looks all the same: tracing must not stop the machine for good. */
const LOOKS = 100;

export class TraceFlow {
  readonly #onTheirWay: Int32Array<SharedArrayBuffer>;

  /** `word` is one 32-bit word, zero at the start. */
  constructor(word: Int32Array<SharedArrayBuffer>) {
    this.#onTheirWay = word;
  }

  /** The thread that traces, for each record; waits while there are too many. */
  send(): void {
    let count = Atomics.add(this.#onTheirWay, 0, 1) + 1;
    for (let look = 0; count > MOST && look < LOOKS; look++) {
      Atomics.wait(this.#onTheirWay, 0, count, WAIT_MS);
      count = Atomics.load(this.#onTheirWay, 0);
    }
  }

  /** The machine's thread, once a record is written. */
  arrived(): void {
    if (Atomics.sub(this.#onTheirWay, 0, 1) === MOST + 1) Atomics.notify(this.#onTheirWay, 0);
  }
}
