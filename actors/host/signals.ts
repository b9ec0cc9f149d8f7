/**
 * The signal that takes a vCPU's thread out of KVM_RUN. The thread blocks it, KVM_SET_SIGNAL_MASK unblocks it inside
 * KVM_RUN, and it is taken off the queue with rt_sigtimedwait: no handler ever runs, in no thread.
 *
 * Node and V8 use SIGUSR1, SIGPROF and others; glibc uses 32 and 33. The kernel's sigset_t has 64 bits, bit n-1 for signal n.
 */
import { checked, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";

/** A real-time signal that nothing in Node uses. */
export const KICK_SIGNAL = 42;
const SIGSET_BYTES = 8;
const SIG_BLOCK = 0;
const KICK_MASK = 2 ** (KICK_SIGNAL - 1);

/** Blocks the kick signal in the calling thread and can take it off the queue. */
export class KickSignal {
  readonly #libc: Libc;
  readonly #scratch: Scratch;
  readonly #set: number;
  readonly #timeout: number;

  constructor(libc: Libc, scratch: Scratch) {
    this.#libc = libc;
    this.#scratch = scratch;
    this.#set = scratch.take(SIGSET_BYTES);
    this.#timeout = scratch.take(16);
  }

  /**
   * Blocks the signal; returns the mask to be in force inside KVM_RUN, as the low and high half: the thread's mask with
   * the kick unblocked.
   */
  block(): readonly [low: number, high: number] {
    const view = new DataView(this.#scratch.memory.buffer);
    const old = this.#scratch.take(SIGSET_BYTES);
    view.setUint32(this.#set, KICK_MASK % 2 ** 32, true);
    view.setUint32(this.#set + 4, Math.floor(KICK_MASK / 2 ** 32), true);
    const { hva } = this.#scratch.memory;
    const result = this.#libc.syscall(SYS.rt_sigprocmask, SIG_BLOCK, hva + this.#set, hva + old, SIGSET_BYTES);
    checked("rt_sigprocmask", result, "block the kick signal");
    const high = view.getUint32(old + 4, true);
    const kickHigh = Math.floor(KICK_MASK / 2 ** 32);
    return [view.getUint32(old, true), (high & ~kickHigh) >>> 0];
  }

  /** Takes a pending kick off the queue, if there is one. */
  consume(): void {
    const { hva } = this.#scratch.memory;
    this.#libc.fast(SYS.rt_sigtimedwait, hva + this.#set, 0, hva + this.#timeout, SIGSET_BYTES);
  }
}
