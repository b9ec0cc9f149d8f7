/** The host of a model: eventfds, signals to threads, and KVM_RUN, each call one step, blocked where Linux blocks. */
import { SYS } from "../../actors/host/syscalls.js";
import { ERRNO } from "../../actors/host/libc.js";
import type { Libc } from "../../actors/host/libc.js";
import { Scratch } from "../../actors/host/kvm.js";
import { step } from "./instruments.js";

/** <linux/poll.h> */
const POLLIN = 1;
const POLLFD_BYTES = 8;
const SCRATCH_BYTES = 2048;
const MOST = 8;

export class ModelHost {
  /** What each eventfd counts. */
  readonly counters = new Int32Array(new SharedArrayBuffer(MOST * 4));
  /** By thread: a signal is pending. */
  readonly signals = new Int32Array(new SharedArrayBuffer(MOST * 4));

  /** A thread's own way to the host. */
  thread(): { readonly libc: Libc; readonly scratch: Scratch } {
    // Addresses are offsets, but none is 0, which is no timeout to ppoll.
    const buffer = new SharedArrayBuffer(SCRATCH_BYTES);
    const scratch = new Scratch({ buffer, hva: 0 }, 8, SCRATCH_BYTES - 8);
    const view = new DataView(buffer);
    const fast = (call: number, ...args: readonly number[]): number => this.#call(view, call, args);
    return { scratch, libc: { fast, syscall: fast } as unknown as Libc };
  }

  #call(view: DataView, call: number, args: readonly number[]): number {
    const [first = 0, second = 0] = args;
    switch (call) {
      case SYS.write:
        Atomics.add(this.counters, first, 1);
        return 8;
      case SYS.read:
        return Atomics.exchange(this.counters, first, 0) === 0 ? -ERRNO.EAGAIN : 8;
      case SYS.ppoll:
        return this.#poll(view, first, second);
      case SYS.tgkill:
        Atomics.store(this.signals, second, 1);
        return 0;
      default:
        throw new Error(`The host of a model has no system call ${call}`);
    }
  }

  /** Until one of the `count` descriptors can be read: no time passes. */
  #poll(view: DataView, fds: number, count: number): number {
    const watched = Array.from({ length: count }, (_, i) => view.getInt32(fds + i * POLLFD_BYTES, true));
    const ready = (): number =>
      watched.reduce((mask, fd, i) => mask | ((this.counters[fd] ?? 0) === 0 ? 0 : 1 << i), 0);
    const mask = step({ label: `ppoll ${watched.join(" ")}`, enabled: () => ready() !== 0, run: ready }) as number;
    for (let i = 0; i < count; i++) {
      view.setInt16(fds + i * POLLFD_BYTES + 6, (mask >> i) & 1 ? POLLIN : 0, true);
    }
    return watched.length;
  }

  /**
   * KVM_RUN of the thread `tid`, whose immediate_exit is the byte `exit` of `area`, and after it the end of its signals.
   * `running` says in word `tid` whether the guest executes. True when it was interrupted; else the guest has exited by
   * itself, which it does only if `exits`.
   */
  run({ tid, area, exit, running, exits }: GuestRun): boolean {
    // immediate_exit is looked at once, before the guest is entered; in it only the signal counts.
    const signalled = (): boolean => this.signals[tid] !== 0;
    const entered = step({ label: "KVM_RUN looks", run: () => area[exit] === 0 && !signalled() }) as boolean;
    let interrupted = !entered;
    if (entered) {
      Atomics.store(running, tid, 1);
      interrupted = step({ label: "KVM_RUN", enabled: () => exits || signalled(), run: signalled }) as boolean;
      Atomics.store(running, tid, 0);
    }
    if (interrupted) Atomics.store(this.signals, tid, 0);
    return interrupted;
  }
}

export interface GuestRun {
  readonly tid: number;
  readonly area: Uint8Array;
  readonly exit: number;
  readonly running: Int32Array<SharedArrayBuffer>;
  readonly exits: boolean;
}
