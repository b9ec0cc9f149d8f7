/**
 * A doorbell: an eventfd and a word in shared memory that says whether it has been rung and not yet been answered, so
 * that ringing it again costs no system call. Any thread rings, one waits. KVM may signal the eventfd by itself too.
 */
import { checked, ERRNO, SYS, syscallError } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";

/** <sys/eventfd.h> */
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

export function createEventfd(libc: Libc): number {
  return checked("eventfd2", libc.syscall(SYS.eventfd2, 0, EFD_NONBLOCK | EFD_CLOEXEC), "create an eventfd");
}

export class Doorbell {
  readonly fd: number;
  readonly #libc: Libc;
  readonly #rung: Int32Array<SharedArrayBuffer>;
  /** Host address of the 8 bytes that a write adds and a read fills. */
  readonly #one: number;
  readonly #count: number;

  /** `rung` is one word of shared memory, the same in every thread. */
  constructor(libc: Libc, scratch: Scratch, fd: number, rung: Int32Array<SharedArrayBuffer>) {
    this.fd = fd;
    this.#libc = libc;
    this.#rung = rung;
    const one = scratch.take(8);
    new DataView(scratch.memory.buffer).setBigUint64(one, 1n, true);
    this.#one = scratch.memory.hva + one;
    this.#count = scratch.memory.hva + scratch.take(8);
  }

  /**
   * After the work has been put where the other side looks.
   *
   * @throws VmmError HOST_SYSCALL when the other side cannot be woken
   */
  ring(): void {
    if (Atomics.exchange(this.#rung, 0, 1) !== 0) return;
    let result;
    do result = this.#libc.fast(SYS.write, this.fd, this.#one, 8);
    while (result === -ERRNO.EINTR);
    if (result >= 0) return;
    // Nobody has heard it: the next ring must not count on this one.
    Atomics.store(this.#rung, 0, 0);
    throw syscallError("write", result, "ring an eventfd");
  }

  /** Before looking for work: from here on a ring wakes again. */
  answer(): void {
    this.#libc.fast(SYS.read, this.fd, this.#count, 8);
    Atomics.store(this.#rung, 0, 0);
  }
}
