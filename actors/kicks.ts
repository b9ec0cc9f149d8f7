/**
 * Making a vCPU's thread look up: each vCPU has a request word and a state word in shared memory.
 *
 * Asker: store the request, then immediate_exit, then, if the thread is inside KVM_RUN, signal it. vCPU: store "inside",
 * enter; on the way out store "outside", when interrupted clear immediate_exit, and only then take the requests. So a request
 * stored at any moment is either taken now or makes the next KVM_RUN return at once.
 */
import type { SharedArena } from "../shared/arena.js";
import type { KvmRun } from "./host/exit.js";
import type { Libc } from "./host/libc.js";
import { SYS } from "./host/libc.js";
import { KICK_SIGNAL } from "./host/signals.js";

const WORDS = 16;
const REQUESTS = 0;
const STATE = 1;
const TID = 2;
const POLL = 3;

const OUTSIDE = 0;
const INSIDE = 1;

export class Kicks {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #libc: Libc;
  readonly #runs: readonly KvmRun[];

  constructor(arena: SharedArena, libc: Libc, runs: readonly KvmRun[]) {
    this.#words = arena.int32(runs.length * WORDS);
    this.#libc = libc;
    this.#runs = runs;
  }

  /** Any thread: sets request bits of `vcpu` and gets its thread out of the guest. */
  request(vcpu: number, bits: number): void {
    const run = this.#runs[vcpu];
    if (run === undefined) return;
    Atomics.or(this.#words, vcpu * WORDS + REQUESTS, bits);
    run.setImmediateExit();
    if (Atomics.load(this.#words, vcpu * WORDS + STATE) === INSIDE) {
      this.#libc.fast(SYS.tgkill, process.pid, Atomics.load(this.#words, vcpu * WORDS + TID), KICK_SIGNAL);
    }
    this.wakePoll(vcpu);
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
    const index = vcpu * WORDS + REQUESTS;
    if (Atomics.load(this.#words, index) === 0) return 0;
    return Atomics.exchange(this.#words, index, 0);
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
    const requests = vcpu * WORDS + REQUESTS;
    const poll = vcpu * WORDS + POLL;
    if (Atomics.load(this.#words, requests) === 0) Atomics.wait(this.#words, poll, 0, timeoutMs);
    Atomics.store(this.#words, poll, 0);
    return Atomics.load(this.#words, requests) === 0;
  }

  /** Any thread. */
  wakePoll(vcpu: number): void {
    Atomics.store(this.#words, vcpu * WORDS + POLL, 1);
    Atomics.notify(this.#words, vcpu * WORDS + POLL);
  }
}
