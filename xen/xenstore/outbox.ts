/**
 * Messages that wait for a client to make room: replies and watch events, in the order of their making.
 *
 * Bounded whatever the client does: it is not served while too many replies wait (`Quota.outstanding`), an event that
 * waits already is not queued again, and events beyond `Quota.eventBytes` are dropped.
 */
import { Budget, Quota } from "./quotas.js";
import { bytesText, encodeMessage, HEADER_SIZE, textBytes, XENSTORE_PAYLOAD_MAX, XsType } from "./wire.js";
import type { Message } from "./wire.js";

interface Waiting {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Set for events: what tells one from another. */
  readonly event: string | undefined;
}

/** An outbox as plain data. Each message is one string of characters U+0000..U+00FF. */
export interface OutboxState {
  readonly messages: readonly { readonly bytes: string; readonly event?: string }[];
  /** Bytes of the first message that the client has got. */
  readonly sent: number;
}

export class Outbox {
  #queue: Waiting[] = [];
  /** Messages at the start of the queue that are gone. */
  #first = 0;
  /** Bytes of the first message that are gone. */
  #sent = 0;
  #replies = 0;
  #events = new Set<string>();
  #eventBytes = new Budget(Quota.eventBytes);

  get empty(): boolean {
    return this.#first === this.#queue.length;
  }

  /** True when the client must read before it is served again. */
  get full(): boolean {
    return this.#replies >= Quota.outstanding;
  }

  reply(message: Message): void {
    this.#replies += 1;
    this.#queue.push({ bytes: encodeMessage(message), event: undefined });
  }

  event(path: string, token: string): void {
    const length = path.length + token.length + 2;
    // The cheap tests come first: a guest can cause a hundred thousand events by one request.
    if (length > XENSTORE_PAYLOAD_MAX || !this.#eventBytes.draw(HEADER_SIZE + length)) return;
    const event = `${path}\0${token}\0`;
    if (this.#events.has(event)) {
      this.#eventBytes.draw(-HEADER_SIZE - length);
      return;
    }
    this.#events.add(event);
    const bytes = encodeMessage({ type: XsType.watchEvent, reqId: 0, txId: 0, payload: textBytes(event) });
    this.#queue.push({ bytes, event });
  }

  /** What is left to send of the first message; undefined when none waits. */
  peek(): Uint8Array<ArrayBuffer> | undefined {
    return this.#queue[this.#first]?.bytes.subarray(this.#sent);
  }

  /** The client has got `count` more bytes of the first message. */
  take(count: number): void {
    const first = this.#queue[this.#first];
    if (first === undefined) return;
    this.#sent += count;
    if (this.#sent < first.bytes.length) return;
    if (first.event === undefined) {
      this.#replies -= 1;
    } else {
      this.#events.delete(first.event);
      this.#eventBytes.draw(-first.bytes.length);
    }
    this.#sent = 0;
    this.#first += 1;
    if (this.empty) {
      this.#queue = [];
      this.#first = 0;
    } else if (this.#first >= 1024) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
  }

  clear(): void {
    this.#queue = [];
    this.#first = 0;
    this.#sent = 0;
    this.#replies = 0;
    this.#events = new Set();
    this.#eventBytes = new Budget(Quota.eventBytes);
  }

  save(): OutboxState {
    const messages = this.#queue.slice(this.#first).map(({ bytes, event }) => {
      const text = bytesText(bytes);
      return event === undefined ? { bytes: text } : { bytes: text, event };
    });
    return { messages, sent: this.#sent };
  }

  restore(state: OutboxState): void {
    this.clear();
    for (const { bytes, event } of state.messages) {
      this.#queue.push({ bytes: textBytes(bytes), event });
      if (event === undefined) {
        this.#replies += 1;
      } else {
        this.#events.add(event);
        this.#eventBytes.draw(bytes.length);
      }
    }
    this.#sent = state.sent;
  }
}
