/**
 * Streams of bytes between rings in shared memory and the outside: a chardev of the host, or the embedding program.
 *
 * Nothing is dropped on the way out: when the outside is slow the ring fills, and the device behind it makes the guest
 * wait. To the embedding program at most a window of bytes is under way at a time.
 */
import type { ByteRing } from "../shared/byte-ring.js";
import { openChardev } from "./host/chardev.js";
import type { Chardev, ChardevHost } from "./host/fd-chardev.js";
import type { ChardevConfig } from "../shared/config.js";

/** Names of the streams that an embedding program can hold. "xen-console" is the PV console, "xen-log" what Xen itself would print. */
export type StreamName = "serial0" | "serial1" | "serial2" | "serial3" | "xen-console" | "debugcon" | "xen-log";

/** Bytes that may be on their way to the embedding program. */
const WINDOW_BYTES = 64 * 1024;
const CHUNK_BYTES = 4096;

export interface StreamParts {
  readonly name: StreamName;
  readonly output: ByteRing;
  readonly input: ByteRing | undefined;
  /** Output has left the ring. */
  drained(): void;
  /** What it was. */
  seen?(bytes: Uint8Array): void;
  /** Input has come into the ring. */
  arrived(): void;
}

/** Where a stream's output goes; returns how many bytes it took. */
interface Sink {
  write(bytes: Uint8Array): number;
  resumeInput(): void;
  close(): void;
}

export class Stream {
  readonly name: StreamName;
  readonly #parts: StreamParts;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  /** What the sink has not taken yet. */
  #left = new Uint8Array(0);
  #sink: Sink;
  #underWay = 0;

  constructor(parts: StreamParts, post: (name: StreamName, bytes: Uint8Array) => void) {
    this.name = parts.name;
    this.#parts = parts;
    this.#sink = {
      write: (bytes) => {
        const count = Math.min(bytes.length, WINDOW_BYTES - this.#underWay);
        if (count > 0) post(this.name, bytes.slice(0, count));
        this.#underWay += count;
        return count;
      },
      resumeInput: () => undefined,
      close: () => undefined,
    };
  }

  /** Sends the stream to the host's `config` instead; returns where that is, for a person. */
  open(host: ChardevHost, config: Exclude<ChardevConfig, { kind: "stream" }>): Chardev {
    const chardev = openChardev(host, config, {
      room: () => this.#parts.input?.free ?? 0,
      input: (bytes) => {
        this.input(bytes);
      },
      writable: () => {
        this.pump();
      },
    });
    this.#sink = chardev;
    return chardev;
  }

  /** Moves what the guest wrote towards the outside. */
  pump(): void {
    let moved = false;
    while (this.#flushLeft()) {
      const count = this.#parts.output.drain(this.#chunk);
      if (count === 0) break;
      moved = true;
      this.#left = this.#chunk.slice(0, count);
      this.#parts.seen?.(this.#left);
    }
    if (moved) this.#parts.drained();
    if (this.#parts.input !== undefined && this.#parts.input.free > 0) this.#sink.resumeInput();
  }

  /** Nothing waits here, in the ring or on its way. */
  get idle(): boolean {
    return this.#parts.output.length === 0 && this.#left.length === 0 && this.#underWay === 0;
  }

  /** Bytes from outside; returns how many there was room for. */
  input(bytes: Uint8Array): number {
    const ring = this.#parts.input;
    let count = 0;
    while (ring !== undefined && count < bytes.length && ring.push(bytes[count] ?? 0)) count++;
    if (count > 0) this.#parts.arrived();
    return ring === undefined ? bytes.length : count;
  }

  /** The embedding program has taken `count` bytes. */
  acknowledge(count: number): void {
    this.#underWay -= count;
    this.pump();
  }

  close(): void {
    this.#sink.close();
  }

  #flushLeft(): boolean {
    if (this.#left.length > 0) this.#left = this.#left.subarray(this.#sink.write(this.#left));
    return this.#left.length === 0;
  }
}
