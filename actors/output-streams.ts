/** What the guest writes, handed to the embedding program's listeners one chunk after the other. */
import type { StreamName } from "./streams.js";

/** May return a promise: the next bytes come when it has settled. */
export type StreamListener = (bytes: Uint8Array) => unknown;

export class OutputStreams {
  readonly #listeners = new Map<StreamName, StreamListener[]>();
  readonly #queues = new Map<StreamName, Promise<void>>();
  readonly #acknowledge: (stream: StreamName, count: number) => void;
  #closed = false;

  /** `acknowledge` tells the device actor that `count` bytes have been handled. */
  constructor(acknowledge: (stream: StreamName, count: number) => void) {
    this.#acknowledge = acknowledge;
  }

  listen(stream: StreamName, listener: StreamListener): void {
    this.#listeners.set(stream, [...(this.#listeners.get(stream) ?? []), listener]);
  }

  /** Bytes from the device actor. */
  deliver(stream: StreamName, bytes: Uint8Array): void {
    const before = this.#queues.get(stream) ?? Promise.resolve();
    this.#queues.set(
      stream,
      before.then(() => this.#hand(stream, bytes)),
    );
  }

  /** Resolves when everything delivered so far has been handled. */
  async idle(): Promise<void> {
    await Promise.all(this.#queues.values());
  }

  close(): void {
    this.#closed = true;
  }

  async #hand(stream: StreamName, bytes: Uint8Array): Promise<void> {
    for (const listener of this.#listeners.get(stream) ?? []) {
      try {
        await listener(bytes);
      } catch (error) {
        // The program's own mistake, for the program to hear of; the stream goes on, as the guest would wait else.
        void Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    if (!this.#closed) this.#acknowledge(stream, bytes.length);
  }
}
