/**
 * Making a vCPU's thread look up: each vCPU has a mailbox and a state word in shared memory.
 *
 * Asker: post the request, then immediate_exit, then, if the thread is inside KVM_RUN, signal it. vCPU: store "inside",
 * enter; on the way out store "outside", when interrupted clear immediate_exit, and only then take the requests. So a request
 * posted at any moment is either taken now or makes the next KVM_RUN return at once.
 */
import type { SharedArena } from "../shared/arena.js";
import { Mailbox } from "../shared/mailbox.js";
import type { KvmRun } from "./host/exit.js";
import type { Libc } from "./host/libc.js";
import { SYS } from "./host/libc.js";
import { KICK_SIGNAL } from "./host/signals.js";

/** Words of a vCPU: a cache line. The mailbox comes first. */
const WORDS = 16;
const STATE: number = Mailbox.WORDS;
const TID = STATE + 1;

const OUTSIDE = 0;
const INSIDE = 1;

export class Kicks {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #mailboxes: readonly Mailbox[];
  readonly #libc: Libc;
  readonly #runs: readonly KvmRun[];

  constructor(arena: SharedArena, libc: Libc, runs: readonly KvmRun[]) {
    this.#words = arena.int32(runs.length * WORDS);
    this.#mailboxes = runs.map((_, vcpu) => new Mailbox(this.#words.subarray(vcpu * WORDS, (vcpu + 1) * WORDS)));
    this.#libc = libc;
    this.#runs = runs;
  }

  /** Any thread: sets request bits of `vcpu` and gets its thread out of the guest. */
  request(vcpu: number, bits: number): void {
    const run = this.#runs[vcpu];
    const mailbox = this.#mailboxes[vcpu];
    if (run === undefined || mailbox === undefined) return;
    // Wakes it where it sleeps in a poll.
    mailbox.post(bits);
    run.setImmediateExit();
    if (Atomics.load(this.#words, vcpu * WORDS + STATE) === INSIDE) {
      this.#libc.fast(SYS.tgkill, process.pid, Atomics.load(this.#words, vcpu * WORDS + TID), KICK_SIGNAL);
    }
  }

  /** Any thread. */
  requestAll(bits: number): void {
    for (let vcpu = 0; vcpu < this.#runs.length; vcpu++) this.request(vcpu, bits);
  }

  /** vCPU thread: says which thread runs `vcpu`. */
  enlist(vcpu: number, tid: number): void {
    Atomics.store(this.#words, vcpu * WORDS + TID, tid);
  }

  /** vCPU thread, just before KVM_RUN. */
  enter(vcpu: number): void {
    Atomics.store(this.#words, vcpu * WORDS + STATE, INSIDE);
  }

  /** vCPU thread, just after KVM_RUN. */
  leave(vcpu: number): void {
    Atomics.store(this.#words, vcpu * WORDS + STATE, OUTSIDE);
  }

  /** vCPU thread: takes what was asked. */
  take(vcpu: number): number {
    return this.#mailboxes[vcpu]?.take() ?? 0;
  }

  /** vCPU thread, after KVM_RUN was interrupted and before {@link take}. */
  clear(vcpu: number): void {
    this.#runs[vcpu]?.clearImmediateExit();
  }

  /**
   * vCPU thread in SCHEDOP_poll: sleeps until {@link wakePoll}, a request, or `timeoutMs`. A wake-up that came since the
   * last sleep counts, so the caller looks at its ports before and after, and none is lost. False when a request waits.
   */
  pollWait(vcpu: number, timeoutMs: number): boolean {
    return this.#mailboxes[vcpu]?.wait(timeoutMs) === false;
  }

  /** Any thread. */
  wakePoll(vcpu: number): void {
    this.#mailboxes[vcpu]?.wake();
  }
}
