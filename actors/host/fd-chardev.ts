/** A file descriptor as a character device: never blocking, watched by the device actor's poll. */
import { ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import { Poll } from "./poller.js";
import type { Poller } from "./poller.js";

export interface ChardevEvents {
  /** How many bytes of input can be taken: the rest stays in the kernel. */
  room(): number;
  /** Bytes came in; valid during the call. */
  input(bytes: Uint8Array): void;
  /** Output can be written again. */
  writable(): void;
}

export interface Chardev {
  /** What a person wants to know, such as the path of a pty. */
  readonly place: string;
  /** Resolves when there is another side: at once, but for a socket that listens. */
  readonly connected: Promise<void>;
  /** Takes as many bytes as go out now and returns their number. */
  write(bytes: Uint8Array): number;
  /** There is room for input again. */
  resumeInput(): void;
  close(): void;
}

export interface ChardevHost {
  readonly libc: Libc;
  readonly scratch: Scratch;
  readonly poller: Poller;
  /** A promise was settled in a handler of the poller: the thread's event loop has to turn for anybody to see it. */
  settled(): void;
}

/** A piece of scratch memory for transfers, to be used by one descriptor at a time. */
export class TransferBuffer {
  readonly bytes: Uint8Array;
  /** Host address of the first byte. */
  readonly hva: number;

  constructor(scratch: Scratch) {
    const at = scratch.take(BUFFER_BYTES);
    this.bytes = new Uint8Array(scratch.memory.buffer, at, BUFFER_BYTES);
    this.hva = scratch.memory.hva + at;
  }
}

const BUFFER_BYTES = 4096;

export interface FdOptions {
  readonly place: string;
  readonly buffer: TransferBuffer;
  readonly input: boolean;
  /** Closes the descriptor as it was opened: Node keeps book of what workers open through it. */
  readonly close: (fd: number) => void;
  /** The other side has closed for good. */
  readonly gone?: () => void;
}

/** A descriptor that takes bytes and, perhaps, gives some. */
export class FdChardev implements Chardev {
  readonly place: string;
  readonly connected = Promise.resolve();
  readonly #host: ChardevHost;
  readonly #fd: number;
  readonly #events: ChardevEvents;
  readonly #options: FdOptions;
  #blocked = false;

  constructor(host: ChardevHost, fd: number, options: FdOptions, events: ChardevEvents) {
    this.place = options.place;
    this.#host = host;
    this.#fd = fd;
    this.#options = options;
    this.#events = events;
    this.#watch();
  }

  write(bytes: Uint8Array): number {
    const { buffer } = this.#options;
    let done = 0;
    while (done < bytes.length) {
      const part = bytes.subarray(done, done + BUFFER_BYTES);
      buffer.bytes.set(part);
      const result = this.#host.libc.fast(SYS.write, this.#fd, buffer.hva, part.length);
      if (result === -ERRNO.EINTR) continue;
      if (result === -ERRNO.EAGAIN && !this.#host.poller.hungUp(this.#fd)) {
        this.#blocked = true;
        this.#watch();
        return done;
      }
      // Nobody reads (a closed socket, a pty without a terminal, a full disk): the bytes are lost, the guest goes on.
      if (result < 0) return bytes.length;
      done += result;
    }
    return done;
  }

  resumeInput(): void {
    this.#watch();
  }

  close(): void {
    this.#host.poller.unwatch(this.#fd);
    this.#options.close(this.#fd);
  }

  #watch(): void {
    const input = this.#options.input && this.#events.room() > 0 ? Poll.in : 0;
    const output = this.#blocked ? Poll.out : 0;
    if (input === 0 && output === 0) this.#host.poller.unwatch(this.#fd);
    else {
      this.#host.poller.watch(this.#fd, input | output, (ready) => {
        this.#ready(ready);
      });
    }
  }

  #ready(ready: number): void {
    // Who has gone takes no more bytes, but the guest must not wait for it.
    if (this.#blocked && (ready & ~Poll.in) !== 0) {
      this.#blocked = false;
      this.#watch();
      this.#events.writable();
    }
    if (this.#options.input && (ready & ~Poll.out) !== 0) this.#read();
  }

  #read(): void {
    const { libc, poller } = this.#host;
    const { buffer, gone } = this.#options;
    const room = Math.min(this.#events.room(), BUFFER_BYTES);
    const result = room === 0 ? -ERRNO.EAGAIN : libc.fast(SYS.read, this.#fd, buffer.hva, room);
    if (result > 0) this.#events.input(buffer.bytes.subarray(0, result));
    if (result > 0 || (result === -ERRNO.EAGAIN && room > 0) || result === -ERRNO.EINTR) {
      this.#watch();
      return;
    }
    poller.unwatch(this.#fd);
    if (room === 0) return;
    if (gone !== undefined) gone();
    // A pty that no terminal has open gives EIO, and poll() would return at once: look again in a while.
    else if (result === -ERRNO.EIO) poller.lookLater(this.#fd, this.#watch.bind(this));
  }
}
