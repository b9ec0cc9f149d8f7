/**
 * Making a vCPU's thread look up: each vCPU has a mailbox and a state word in shared memory.
 *
 * Asker: post the request, then immediate_exit, then, if the thread is inside KVM_RUN, signal it. vCPU: store "inside",
 * enter; on the way out store "outside", when interrupted clear immediate_exit, and only then take the requests. So a request
 * posted at any moment is either taken now or makes the next KVM_RUN return at once.
 *
 * Holding all vCPUs out of the guest goes by the same words: the holder stores "held" and then looks for who is inside; a
 * vCPU stores "inside" and then looks whether it is held. One of the two sees the other.
 */
import type { SharedArena } from "../shared/arena.js";
import { Mailbox } from "../shared/mailbox.js";
import type { KvmRun } from "./host/exit.js";
import type { Libc } from "./host/libc.js";
import { ERRNO, SYS } from "./host/libc.js";
import { KICK_SIGNAL } from "./host/signals.js";

/** Words of a vCPU: a cache line. The mailbox comes first. */
const WORDS = 16;
const STATE: number = Mailbox.WORDS;
const TID = STATE + 1;
/** Counts how often the vCPU has told what it is doing. */
const SETTLED = TID + 1;

const OUTSIDE = 0;
const INSIDE = 1;
/** How long a held vCPU or a holder sleeps before it looks again. */
const LOOK_MS = 5;
/** How long one vCPU waits for another that may be waiting for it. */
const SETTLE_LIMIT_MS = 200;
/** A vCPU that does not come out in this time never will: its thread is gone, and the machine with it. */
const HOLD_LIMIT_MS = 2000;
/** Real-time signals are queued, and the queue of a user has a limit (RLIMIT_SIGPENDING). */
const SIGNAL_TRIES = 1000;

export class Kicks {
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** How many threads hold the vCPUs out of the guest. */
  readonly #held: Int32Array<SharedArrayBuffer>;
  readonly #mailboxes: readonly Mailbox[];
  readonly #libc: Libc;
  readonly #runs: readonly KvmRun[];

  constructor(arena: SharedArena, libc: Libc, runs: readonly KvmRun[]) {
    this.#words = arena.int32(runs.length * WORDS);
    this.#held = arena.int32(1);
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
    if (Atomics.load(this.#words, vcpu * WORDS + STATE) === INSIDE) this.#signal(vcpu);
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
    if (Atomics.load(this.#held, 0) !== 0) this.#waitUntilFree(vcpu);
  }

  /** vCPU thread, just after KVM_RUN. */
  leave(vcpu: number): void {
    Atomics.store(this.#words, vcpu * WORDS + STATE, OUTSIDE);
    if (Atomics.load(this.#held, 0) !== 0) Atomics.notify(this.#words, vcpu * WORDS + STATE);
  }

  /**
   * Any thread that is not in KVM_RUN itself: does `work` while no vCPU executes guest code. Locks may be held, as a vCPU
   * that waits for one is outside.
   */
  whileHeld<T>(work: () => T): T {
    Atomics.add(this.#held, 0, 1);
    try {
      const deadline = performance.now() + HOLD_LIMIT_MS;
      for (let vcpu = 0; vcpu < this.#runs.length; vcpu++) this.#getOut(vcpu, deadline);
      return work();
    } finally {
      Atomics.sub(this.#held, 0, 1);
      Atomics.notify(this.#held, 0);
    }
  }

  /**
   * vCPU thread, in a hypercall: sets request bits of `vcpu` and waits until its thread says {@link settled}, or for a
   * while. Two that wait for each other say it for themselves: who is here runs.
   */
  settle(caller: number, vcpu: number, bits: number): void {
    const settled = vcpu * WORDS + SETTLED;
    const before = Atomics.load(this.#words, settled);
    this.request(vcpu, bits);
    const deadline = performance.now() + SETTLE_LIMIT_MS;
    while (Atomics.load(this.#words, settled) === before && performance.now() < deadline) {
      this.settled(caller);
      Atomics.wait(this.#words, settled, before, LOOK_MS);
    }
  }

  /** vCPU thread: all that was asked of it before has been done. */
  settled(vcpu: number): void {
    Atomics.add(this.#words, vcpu * WORDS + SETTLED, 1);
    Atomics.notify(this.#words, vcpu * WORDS + SETTLED);
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

  #getOut(vcpu: number, deadline: number): void {
    const state = vcpu * WORDS + STATE;
    while (Atomics.load(this.#words, state) === INSIDE && performance.now() < deadline) {
      this.#runs[vcpu]?.setImmediateExit();
      this.#signal(vcpu);
      Atomics.wait(this.#words, state, INSIDE, LOOK_MS);
    }
  }

  #waitUntilFree(vcpu: number): void {
    const state = vcpu * WORDS + STATE;
    do {
      Atomics.store(this.#words, state, OUTSIDE);
      Atomics.notify(this.#words, state);
      const held = Atomics.load(this.#held, 0);
      if (held !== 0) Atomics.wait(this.#held, 0, held, LOOK_MS);
      Atomics.store(this.#words, state, INSIDE);
    } while (Atomics.load(this.#held, 0) !== 0);
  }

  #signal(vcpu: number): void {
    const tid = Atomics.load(this.#words, vcpu * WORDS + TID);
    for (let tries = 0; tries < SIGNAL_TRIES; tries++) {
      const result = this.#libc.fast(SYS.tgkill, process.pid, tid, KICK_SIGNAL);
      if (result !== -ERRNO.EAGAIN && result !== -ERRNO.EINTR) return;
      // The user's queue of signals is full: others take theirs meanwhile.
      this.#libc.fast(SYS.sched_yield);
    }
  }
}
