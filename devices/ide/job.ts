/**
 * What a channel has for a drive's disk actor to do: one job at most, in shared memory under the channel's lock.
 *
 *   none -> posted (vCPU) -> running (actor) -> none (actor)
 *
 * A vCPU takes a posted job back at once. One that runs it can only ask to be given up: the actor looks between two calls
 * to the host, and until it has answered the guest sees the drive busy. So nothing is written to guest memory, and nothing
 * of the guest's to the disk, once a reset or the end of a transfer has shown itself to the guest.
 */
import type { SharedArena } from "../../shared/arena.js";
import { words } from "../chip-state.js";

/** `dma...` move data between storage and the memory that a PRD table names, the others between storage and the buffer. */
export const JobOp = {
  read: 1,
  write: 2,
  dmaRead: 3,
  dmaWrite: 4,
  /** From the buffer to the memory that a PRD table names. */
  dmaBuffer: 5,
  verify: 6,
  flush: 7,
  /** The memory that a PRD table names holds ranges to discard. */
  trim: 8,
} as const;
export type JobOpCode = (typeof JobOp)[keyof typeof JobOp];

export interface Job {
  readonly op: JobOpCode;
  /** Bytes into the storage. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Guest-physical address of the PRD table. */
  readonly table: number;
  /** What was written must be on the medium when the job ends. */
  readonly flush: boolean;
}

/** How the PRD table fared: `more` had room left, `short` ended too early, `fault` led where no memory is. */
export type DmaOutcome = "exact" | "more" | "short" | "fault" | "stopped";

export interface JobResult {
  /** Bytes that went through without an error: of storage, whole sectors. */
  readonly done: number;
  /** 0, or the host's errno at `offset + done`; EINVAL where what the guest asked for was wrong. */
  readonly error: number;
  /** "exact" where there is no table. */
  readonly dma: DmaOutcome;
}

export function ended(done: number, error: number, dma: DmaOutcome = "exact"): JobResult {
  return { done, error, dma };
}

/** What the actor is asked to give up for. A later and stronger wish takes the place of one before. */
export const Abandon = { no: 0, stop: 1, reset: 2 } as const;
export type AbandonCode = (typeof Abandon)[keyof typeof Abandon];

const State = { none: 0, posted: 1, running: 2 } as const;
const W = words(["state", "abandon", "unit", "op", "flush"]);
const F = words(["offset", "length", "table"]);
/** How often somebody who waits for the end looks whether he still wants to. */
const LOOK_MS = 20;

export class JobSlot {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly numbers: Float64Array<SharedArrayBuffer>;

  constructor(arena: SharedArena) {
    this.words = arena.int32(5);
    this.numbers = arena.float64(3);
  }

  get busy(): boolean {
    return this.#load(W.state) !== State.none;
  }

  get running(): boolean {
    return this.#load(W.state) === State.running;
  }

  /** What a running job is to be given up for; read without the lock, too. */
  get abandoned(): AbandonCode {
    return this.#load(W.abandon) as AbandonCode;
  }

  reset(): void {
    this.words.fill(0);
    this.numbers.fill(0);
    Atomics.notify(this.words, W.state);
  }

  /** Only while not busy. */
  post(unit: number, job: Job): void {
    this.words[W.unit] = unit;
    this.words[W.op] = job.op;
    this.words[W.flush] = job.flush ? 1 : 0;
    this.numbers[F.offset] = job.offset;
    this.numbers[F.length] = job.length;
    this.numbers[F.table] = job.table;
    Atomics.store(this.words, W.abandon, Abandon.no);
    Atomics.store(this.words, W.state, State.posted);
  }

  /** The job posted for `unit`, which runs from now on. */
  take(unit: number): Job | undefined {
    if (this.#load(W.state) !== State.posted || this.words[W.unit] !== unit) return undefined;
    Atomics.store(this.words, W.state, State.running);
    return {
      op: this.words[W.op] as JobOpCode,
      offset: this.numbers[F.offset] ?? 0,
      length: this.numbers[F.length] ?? 0,
      table: this.numbers[F.table] ?? 0,
      flush: this.words[W.flush] === 1,
    };
  }

  /** The same when it is a read of at most `most` bytes, into the buffer or by DMA. */
  takeRead(unit: number, most: number): Job | undefined {
    const op = this.words[W.op];
    const reads = op === JobOp.read || op === JobOp.dmaRead;
    return reads && (this.numbers[F.length] ?? 0) <= most ? this.take(unit) : undefined;
  }

  /** The job that runs is left to who takes it next. False when it is to be given up. */
  giveBack(): boolean {
    if (this.abandoned !== Abandon.no) return false;
    Atomics.store(this.words, W.state, State.posted);
    return true;
  }

  /** True when nothing runs any more; else the actor is asked to give the job up. */
  abandon(reason: AbandonCode): boolean {
    if (this.running) {
      Atomics.store(this.words, W.abandon, Math.max(reason, this.abandoned));
      return false;
    }
    Atomics.store(this.words, W.state, State.none);
    Atomics.notify(this.words, W.state);
    return true;
  }

  /** The actor is through. */
  end(): void {
    Atomics.store(this.words, W.abandon, Abandon.no);
    Atomics.store(this.words, W.state, State.none);
    Atomics.notify(this.words, W.state);
  }

  /** Sleeps until nothing is posted or running, or until `tired` says so. Without the lock. */
  await(tired: () => boolean): void {
    for (;;) {
      const state = this.#load(W.state);
      if (state === State.none || tired()) return;
      Atomics.wait(this.words, W.state, state, LOOK_MS);
    }
  }

  #load(index: number): number {
    return Atomics.load(this.words, index);
  }
}
