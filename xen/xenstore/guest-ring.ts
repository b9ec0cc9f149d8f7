/**
 * The guest's way to the store: one shared page with two rings of bytes, and an event channel.
 *
 * [RING] xen.git docs/misc/xenstore-ring.txt
 * [XS_WIRE] xen.git xen/include/public/io/xs_wire.h, struct xenstore_domain_interface
 *
 * All of the page belongs to the guest as much as to us. Indices are read afresh each time (a boot loader may have wiped
 * the page before it left, as hvmloader does), checked, and only then used; bytes are copied out once.
 */
import type { DomId } from "../../shared/brand.js";
import { PAGE_SIZE } from "../../shared/brand.js";
import { LogLimiter } from "../../shared/log.js";
import type { Log } from "../../shared/log.js";
import type { Connection, ConnectionSink, ConnectionState } from "./connection.js";
import type { XenStore } from "./store.js";
import { bytesText, decodeHeader, HEADER_SIZE, textBytes, XENSTORE_PAYLOAD_MAX } from "./wire.js";

export interface GuestStoreRingHost {
  readonly log: Log;
  /** Signals the guest's end of the event channel. */
  notify(): void;
}

export interface GuestStoreRingState {
  readonly version: number;
  /** Bytes of a request that has not arrived in full. */
  readonly partial: string;
  readonly broken: boolean;
  readonly connection: ConnectionState;
}

/** Bytes of each ring, [XS_WIRE] XENSTORE_RING_SIZE. */
const RING_SIZE = 1024;
const REQUEST_RING = 0;
const RESPONSE_RING = RING_SIZE;
/** Where the words begin, in bytes, and their order, [RING]. */
const WORDS = 2 * RING_SIZE;
const Word = {
  requestConsumer: 0,
  requestProducer: 1,
  responseConsumer: 2,
  responseProducer: 3,
  serverFeatures: 4,
  connection: 5,
  error: 6,
} as const;
const WORD_COUNT = 7;

/** Server features, [XS_WIRE]: the ring can be reconnected, and the error word has a meaning. */
const FEATURE_RECONNECTION = 1;
const FEATURE_ERROR = 2;
/** Values of the connection word. */
const CONNECTED = 0;
const RECONNECT = 1;
/** Values of the error word. */
const RingError = { none: 0, ringIndex: 2, protocol: 3 } as const;

/** Requests served in one call, so that a guest that never stops asking lets others have their turn. */
const REQUESTS_PER_CALL = 64;
/** Warnings about one kind of error. */
const LOG_LIMIT = 3;

export class GuestStoreRing implements ConnectionSink {
  readonly #page: Uint8Array;
  readonly #words: Int32Array;
  readonly #connection: Connection;
  readonly #host: GuestStoreRingHost;
  readonly #warnings = new LogLimiter(LOG_LIMIT);
  /** The request that is arriving: header, then payload. */
  readonly #incoming = new Uint8Array(HEADER_SIZE + XENSTORE_PAYLOAD_MAX);
  #received = 0;
  /** Set by an error of the guest's; nothing moves until it reconnects. */
  #broken = false;
  /** An index of ours has moved, and the guest does not know yet. */
  #moved = false;

  constructor(page: Uint8Array, store: XenStore, domid: DomId, host: GuestStoreRingHost) {
    if (page.length !== PAGE_SIZE) throw new RangeError(`Cannot use ${page.length} bytes as a xenstore page`);
    this.#page = page;
    this.#words = new Int32Array(page.buffer, page.byteOffset + WORDS, WORD_COUNT);
    this.#connection = store.connect(domid, this);
    this.#host = host;
  }

  /** Power-on state: an empty page that offers what we can do. */
  reset(): void {
    this.#connection.reset();
    this.#received = 0;
    this.#broken = false;
    this.#page.fill(0);
    Atomics.store(this.#words, Word.serverFeatures, FEATURE_RECONNECTION | FEATURE_ERROR);
  }

  /** Takes requests and sends replies. Call at each kick of the guest's; call again soon when it returns true. */
  process(): boolean {
    if (Atomics.load(this.#words, Word.connection) === RECONNECT) this.#reconnect();
    let served = 0;
    this.#send();
    while (served < REQUESTS_PER_CALL && !this.#connection.outbox.full && this.#serveOne()) {
      served += 1;
      this.#send();
    }
    this.#tellGuest();
    return served === REQUESTS_PER_CALL;
  }

  /** Sends what waits, as far as there is room. */
  flush(): void {
    this.#send();
    this.#tellGuest();
  }

  save(): GuestStoreRingState {
    return {
      version: 1,
      partial: bytesText(this.#incoming.subarray(0, this.#received)),
      broken: this.#broken,
      connection: this.#connection.save(),
    };
  }

  /** Goes on where `save()` left off; the page itself is part of the guest's memory. Restore the store first. */
  restore(state: GuestStoreRingState): void {
    if (state.version !== 1) {
      throw new RangeError(`Cannot restore the xenstore ring: version ${state.version} is not known`);
    }
    const partial = textBytes(state.partial);
    if (partial.length >= this.#incoming.length) throw new RangeError("Cannot restore the xenstore ring: bad request");
    this.#incoming.set(partial);
    this.#received = partial.length;
    this.#broken = state.broken;
    this.#connection.restore(state.connection);
  }

  /** True when a whole request was there and has been served. */
  #serveOne(): boolean {
    if (this.#broken || !this.#receive(HEADER_SIZE)) return false;
    const { header, length } = decodeHeader(this.#incoming);
    if (length > XENSTORE_PAYLOAD_MAX) {
      this.#fail(RingError.protocol);
      return false;
    }
    if (!this.#receive(HEADER_SIZE + length)) return false;
    this.#received = 0;
    this.#connection.receive({ ...header, payload: this.#incoming.slice(HEADER_SIZE, HEADER_SIZE + length) });
    return true;
  }

  /**
   * Copies requests out of the ring until `wanted` bytes of the message are here; false when there are not enough. Looks once
   * more after it has taken what there was: a guest that adds to a ring which is not empty need not tell us, and Linux, which
   * sends a request piece by piece, does not.
   */
  #receive(wanted: number): boolean {
    // A message that is saved or broken off has never more bytes than its header asks for.
    for (;;) {
      const consumer = Atomics.load(this.#words, Word.requestConsumer);
      const available = (Atomics.load(this.#words, Word.requestProducer) - consumer) >>> 0;
      if (available > RING_SIZE) {
        this.#fail(RingError.ringIndex);
        return false;
      }
      if (this.#received >= wanted) return true;
      if (available === 0) return false;
      const count = Math.min(available, wanted - this.#received);
      for (let i = 0; i < count; i++) {
        this.#incoming[this.#received + i] = this.#page[REQUEST_RING + ((consumer + i) & (RING_SIZE - 1))] ?? 0;
      }
      this.#received += count;
      this.#move(Word.requestConsumer, consumer + count);
    }
  }

  #send(): void {
    const outbox = this.#connection.outbox;
    for (let bytes = outbox.peek(); bytes !== undefined && !this.#broken; bytes = outbox.peek()) {
      const producer = Atomics.load(this.#words, Word.responseProducer);
      const unread = (producer - Atomics.load(this.#words, Word.responseConsumer)) >>> 0;
      if (unread > RING_SIZE) {
        this.#fail(RingError.ringIndex);
        return;
      }
      const count = Math.min(RING_SIZE - unread, bytes.length);
      if (count === 0) return;
      for (let i = 0; i < count; i++) {
        this.#page[RESPONSE_RING + ((producer + i) & (RING_SIZE - 1))] = bytes[i] ?? 0;
      }
      this.#move(Word.responseProducer, producer + count);
      outbox.take(count);
    }
  }

  /** Publishes an index of ours: after the bytes it is about have been read or written. */
  #move(word: number, value: number): void {
    Atomics.store(this.#words, word, value | 0);
    this.#moved = true;
  }

  #tellGuest(): void {
    if (!this.#moved) return;
    this.#moved = false;
    this.#host.notify();
  }

  /** [RING] connection error: all of the connection's is dropped, and nothing more happens until the guest reconnects. */
  #fail(error: number): void {
    this.#broken = true;
    this.#received = 0;
    this.#connection.reset();
    this.#move(Word.error, error);
    if (this.#warnings.allow(`${error}`)) {
      this.#host.log.warn("The guest broke the xenstore ring protocol; it may reconnect", { error });
    }
  }

  /** [RING] reconnection: empty rings, no request half done, no watches, no transactions. */
  #reconnect(): void {
    this.#broken = false;
    this.#received = 0;
    this.#connection.reset();
    for (const word of [
      Word.requestConsumer,
      Word.requestProducer,
      Word.responseConsumer,
      Word.responseProducer,
      Word.error,
    ]) {
      Atomics.store(this.#words, word, 0);
    }
    this.#move(Word.connection, CONNECTED);
  }
}
