/**
 * Collects the bytes a guest prints into lines, in shared memory, as different vCPUs may print parts of one line. A line
 * that never ends comes out in pieces of the buffer's size. Control characters stay in: who shows a line escapes them.
 */
import type { SharedArena } from "../shared/arena.js";
import { Lock } from "../shared/lock.js";

/** Bytes of a line before it is cut: Xen's own limit for its log port. */
const LINE_BYTES = 4096;
const NEWLINE = 0x0a;

export class LineBuffer {
  readonly #lock: Lock;
  readonly length: Int32Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;

  constructor(arena: SharedArena) {
    this.#lock = new Lock(arena.int32(1));
    this.length = arena.int32(1);
    this.bytes = arena.uint8(LINE_BYTES);
  }

  clear(): void {
    this.length[0] = 0;
  }

  /** Takes one byte. Returns the line that it completes, without its newline. */
  push(value: number): string | undefined {
    this.#lock.acquire();
    try {
      return this.#push(value);
    } finally {
      this.#lock.release();
    }
  }

  #push(value: number): string | undefined {
    const length = this.length[0] ?? 0;
    if (value !== NEWLINE) {
      this.bytes[length] = value;
      this.length[0] = length + 1;
      if (length + 1 < LINE_BYTES) return undefined;
    }
    return this.#take();
  }

  #take(): string {
    const length = Math.min(this.length[0] ?? 0, LINE_BYTES);
    this.length[0] = 0;
    let line = "";
    for (let index = 0; index < length; index++) line += String.fromCharCode(this.bytes[index] ?? 0);
    return line;
  }
}
