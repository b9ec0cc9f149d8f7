/** Waiting for several file descriptors and a deadline in one blocking call: the heart of the device and disk actors. */
import { checked, ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";

/** <asm-generic/poll.h> */
export const Poll = { in: 0x1, out: 0x4, error: 0x8, hangUp: 0x10 } as const;

const POLLFD_BYTES = 8;
const MAX_FDS = 64;
const NS_PER_S = 1e9;
/** How long until a descriptor that has hung up is looked at again. */
const LATER_NS = 250e6;

interface Watched {
  readonly fd: number;
  readonly events: number;
  readonly ready: (events: number) => void;
}

export class Poller {
  readonly #libc: Libc;
  readonly #view: DataView;
  readonly #hva: number;
  readonly #fds: number;
  readonly #timeout: number;
  /** A struct pollfd for questions about one descriptor. */
  readonly #one: number;
  #watched: Watched[] = [];
  /** What to do in a while, by descriptor, and when. */
  readonly #later = new Map<number, { readonly atMs: number; readonly look: () => void }>();

  constructor(libc: Libc, scratch: Scratch) {
    this.#libc = libc;
    this.#view = new DataView(scratch.memory.buffer);
    this.#hva = scratch.memory.hva;
    this.#fds = scratch.take(MAX_FDS * POLLFD_BYTES);
    this.#timeout = scratch.take(16);
    this.#one = scratch.take(POLLFD_BYTES);
  }

  /** Calls `ready` with the poll events of `fd` whenever one of `events` (or an error) is there. */
  watch(fd: number, events: number, ready: (events: number) => void): void {
    this.#watched = [...this.#watched.filter((watched) => watched.fd !== fd), { fd, events, ready }];
    if (this.#watched.length > MAX_FDS) throw new RangeError(`Cannot watch more than ${MAX_FDS} file descriptors`);
    this.#watched.forEach((watched, i) => {
      this.#view.setInt32(this.#fds + i * POLLFD_BYTES, watched.fd, true);
      this.#view.setInt16(this.#fds + i * POLLFD_BYTES + 4, watched.events, true);
    });
  }

  /** Whether the other side of `fd` has gone. */
  hungUp(fd: number): boolean {
    this.#view.setInt32(this.#one, fd, true);
    this.#view.setInt32(this.#one + 4, 0, true);
    this.#view.setBigUint64(this.#timeout, 0n, true);
    this.#view.setBigUint64(this.#timeout + 8, 0n, true);
    const result = this.#libc.fast(SYS.ppoll, this.#hva + this.#one, 1, this.#hva + this.#timeout, 0, 0);
    return result > 0 && (this.#view.getInt16(this.#one + 6, true) & Poll.hangUp) !== 0;
  }

  /** Calls `look` in a quarter of a second or after `ms`, unless `fd` is unwatched before. */
  lookLater(fd: number, look: () => void, ms = LATER_NS / 1e6): void {
    this.#later.set(fd, { atMs: performance.now() + ms, look });
  }

  unwatch(fd: number): void {
    this.#later.delete(fd);
    this.#watched = this.#watched.filter((watched) => watched.fd !== fd);
    for (const { fd: other, events, ready } of [...this.#watched]) this.watch(other, events, ready);
  }

  /** Blocks for at most `timeoutNs` (Infinity: for ever), then calls what is ready. */
  wait(timeoutNs: number): void {
    this.#poll(this.#later.size === 0 ? timeoutNs : Math.min(timeoutNs, LATER_NS));
    if (this.#later.size === 0) return;
    const now = performance.now();
    for (const [fd, { atMs, look }] of [...this.#later]) {
      if (atMs > now) continue;
      this.#later.delete(fd);
      look();
    }
  }

  #poll(timeoutNs: number): void {
    let timeout = 0;
    if (timeoutNs !== Infinity) {
      const ns = Math.max(0, Math.ceil(timeoutNs));
      const seconds = Math.floor(ns / NS_PER_S);
      this.#view.setUint32(this.#timeout, seconds, true);
      this.#view.setUint32(this.#timeout + 4, 0, true);
      this.#view.setUint32(this.#timeout + 8, ns - seconds * NS_PER_S, true);
      this.#view.setUint32(this.#timeout + 12, 0, true);
      timeout = this.#hva + this.#timeout;
    }
    const watched = this.#watched;
    const result = this.#libc.fast(SYS.ppoll, this.#hva + this.#fds, watched.length, timeout, 0, 0);
    if (result === -ERRNO.EINTR) return;
    if (checked("ppoll", result, "wait for events") === 0) return;
    // Collected first: a handler may watch and unwatch.
    const ready: (readonly [Watched, number])[] = [];
    for (let i = 0; i < watched.length; i++) {
      const events = this.#view.getInt16(this.#fds + i * POLLFD_BYTES + 6, true);
      const entry = watched[i];
      if (events !== 0 && entry !== undefined) ready.push([entry, events]);
    }
    for (const [entry, events] of ready) {
      // A handler before this one may have closed its descriptor; the number may be another's by now.
      this.#watched.find(({ fd }) => fd === entry.fd)?.ready(events);
    }
  }
}
