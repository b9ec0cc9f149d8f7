/**
 * How far a worker thread has come up, in a word that it shares with the thread that started it.
 *
 * koffi aborts the process when its set-up is cut short: a thread must not be ended, nor the process, while one loads it. A
 * thread that has not come that far can be called off. It loads nothing then, and may be ended where it is.
 */
const State = { coming: 0, loading: 1, loaded: 2, calledOff: 3 } as const;

export class ThreadLoading {
  /** What the thread is to be given of it. */
  readonly buffer: SharedArrayBuffer;
  readonly #state: Int32Array<SharedArrayBuffer>;

  constructor(buffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#state = new Int32Array(buffer);
  }

  /** The thread, before it loads: false when it has been called off. */
  begin(): boolean {
    return Atomics.compareExchange(this.#state, 0, State.coming, State.loading) === State.coming;
  }

  /** The thread, when it has loaded. */
  end(): void {
    Atomics.store(this.#state, 0, State.loaded);
    Atomics.notify(this.#state, 0);
  }

  /** Whoever started it: true when it has loaded nothing, and never will. */
  callOff(): boolean {
    const before = Atomics.compareExchange(this.#state, 0, State.coming, State.calledOff);
    return before === State.coming || before === State.calledOff;
  }

  /** Whoever started it: blocks until it is not loading, at most for `limitMs`. */
  settle(limitMs: number): void {
    Atomics.wait(this.#state, 0, State.loading, limitMs);
  }
}
