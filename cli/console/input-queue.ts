/**
 * What was typed and the guest has not taken yet.
 *
 * Keys are read on while the guest is busy, or Ctrl-A x would not work just when it is needed. Only a paste that is larger
 * than any person types holds the terminal until the guest has caught up.
 */

/** Bytes that may wait before the terminal is held: a paste of 1 MiB and some keys. */
const HIGH_WATER = 0x11_0000;
const LOW_WATER = 0x8_0000;

export interface InputQueueHost {
  /** Gives bytes to the guest; resolves when it has taken them. */
  deliver(bytes: Uint8Array): Promise<void>;
  hold(): void;
  release(): void;
}

export class InputQueue {
  readonly #host: InputQueueHost;
  #chunks: Uint8Array[] = [];
  #waiting = 0;
  #held = false;
  #busy = false;

  constructor(host: InputQueueHost) {
    this.#host = host;
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting >= HIGH_WATER && !this.#held) {
      this.#held = true;
      this.#host.hold();
    }
    if (!this.#busy) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (let bytes = this.#chunks.shift(); bytes !== undefined; bytes = this.#chunks.shift()) {
      try {
        await this.#host.deliver(bytes);
      } catch {
        // The machine has ended: nobody is left to type for. Its end says why.
        this.#chunks = [];
      }
      this.#waiting = this.#chunks.length === 0 ? 0 : this.#waiting - bytes.length;
      this.#release();
    }
    this.#busy = false;
  }

  #release(): void {
    if (!this.#held || this.#waiting > LOW_WATER) return;
    this.#held = false;
    this.#host.release();
  }
}
