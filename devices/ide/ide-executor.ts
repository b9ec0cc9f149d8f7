/**
 * The disk actor's side of an IDE drive: carries out the jobs that its channel posts, one after the other.
 *
 * DMA goes straight between storage and guest memory where all that a PRD table names is made of whole sectors, at
 * addresses of whole sectors; else by way of the channel's buffer, which is the actor's meanwhile. The guest's wish to
 * stop or reset is looked at between any two calls to the storage, each of at most a few megabytes.
 *
 * Of a transfer that a table breaks off, whole sectors count, and nothing else is written to the storage.
 */
import { unreachable } from "../../shared/errors.js";
import type { GuestMemory } from "../../shared/memory.js";
import { BlockOp } from "../block-backend.js";
import type { BlockBackend, BlockOpCode } from "../block-backend.js";
import { SECTOR } from "./ata.js";
import { EINVAL } from "./disk-commands.js";
import type { JobSource } from "./ide-channel.js";
import { Abandon, ended, JobOp } from "./job.js";
import type { DmaOutcome, Job, JobResult } from "./job.js";
import { PrdTable } from "./prd-table.js";
import { StorageRequest } from "./storage-request.js";
import { trimRange, TRIM_ENTRY_BYTES } from "./trim-range.js";

export interface IdeExecutorHost {
  readonly jobs: JobSource;
  readonly memory: GuestMemory;
  readonly storage: BlockBackend;
}

/** Bytes that one call moves between storage and guest memory, at most: between calls a reset is heard. */
const MAX_CALL = 4 * 1024 * 1024;

/** An error of many sectors that none of them has alone: the host's, all the same. */
const EIO = 5;

/** Yields when the request is to be submitted; goes on with its error. */
type Steps<T> = Generator<void, T, number>;

export class IdeExecutor {
  readonly #host: IdeExecutorHost;
  readonly #table: PrdTable;
  readonly #request: StorageRequest;
  #steps: Steps<JobResult> | undefined;
  /** The storage has answered from within `submit`. */
  #answer: number | undefined;
  #submitting = false;
  #paused = false;
  #whenQuiet: (() => void)[] = [];

  constructor(host: IdeExecutorHost) {
    this.#host = host;
    this.#table = new PrdTable(host.memory);
    this.#request = new StorageRequest((error) => {
      if (this.#submitting) this.#answer = error;
      else this.#run(error);
    });
  }

  /** There may be a job. */
  kick(): void {
    while (this.#steps === undefined && !this.#paused) {
      const job = this.#host.jobs.take();
      if (job === undefined) return;
      this.#steps = this.#carryOut(job);
      this.#run(0);
    }
  }

  /** Takes no more jobs; `done` is called once the one under way has ended, maybe at once. */
  quiesce(done: () => void): void {
    this.#paused = true;
    if (this.#steps === undefined) done();
    else this.#whenQuiet.push(done);
  }

  resume(): void {
    this.#paused = false;
    this.kick();
  }

  /** Goes on with the job after its request has ended with `error`. */
  #run(error: number): void {
    const steps = this.#steps;
    if (steps === undefined) return;
    let step = steps.next(error);
    while (step.done !== true) {
      this.#answer = undefined;
      this.#submitting = true;
      this.#host.storage.submit(this.#request);
      this.#submitting = false;
      const answer = this.#takeAnswer();
      if (answer === undefined) return;
      step = steps.next(answer);
    }
    this.#steps = undefined;
    this.#host.jobs.finish(step.value);
    for (const done of this.#whenQuiet.splice(0)) done();
  }

  #takeAnswer(): number | undefined {
    return this.#answer;
  }

  #carryOut(job: Job): Steps<JobResult> {
    switch (job.op) {
      case JobOp.read:
        return this.#buffered(BlockOp.read, job);
      case JobOp.write:
        return this.#bufferedWrite(job);
      case JobOp.dmaRead:
        return this.#dma(BlockOp.read, job);
      case JobOp.dmaWrite:
        return this.#dmaWrite(job);
      case JobOp.dmaBuffer:
        return this.#dmaBuffer(job);
      case JobOp.verify:
        return this.#verify(job);
      case JobOp.flush:
        return this.#flush();
      case JobOp.trim:
        return this.#trim(job);
      default:
        return unreachable(job.op);
    }
  }

  /** Between the storage and the first bytes of the buffer; where that fails, up to the sector that is to blame. */
  *#buffered(op: BlockOpCode, { offset, length }: Pick<Job, "offset" | "length">): Steps<JobResult> {
    const { buffer } = this.#host.jobs;
    this.#request.start(op, offset);
    this.#request.addPiece(buffer, 0, length);
    const error = yield;
    if (error === 0) return ended(length, 0);
    for (let done = 0; done < length; done += SECTOR) {
      this.#request.start(op, offset + done);
      this.#request.addPiece(buffer, done, SECTOR);
      const sectorError = yield;
      if (sectorError !== 0) return ended(done, sectorError);
    }
    return ended(length, 0);
  }

  *#bufferedWrite(job: Job): Steps<JobResult> {
    const result = yield* this.#buffered(BlockOp.write, job);
    return job.flush ? yield* this.#flushed(result) : result;
  }

  *#dmaWrite(job: Job): Steps<JobResult> {
    const result = yield* this.#dma(BlockOp.write, job);
    return job.flush ? yield* this.#flushed(result) : result;
  }

  *#flushed(result: JobResult): Steps<JobResult> {
    if (result.error !== 0) return result;
    this.#request.start(BlockOp.flush, 0);
    const error = yield;
    return error === 0 ? result : { ...result, error };
  }

  *#flush(): Steps<JobResult> {
    return yield* this.#flushed(ended(0, 0));
  }

  /** Reads all, and keeps nothing of it. */
  *#verify({ offset, length }: Job): Steps<JobResult> {
    const { buffer } = this.#host.jobs;
    for (let done = 0; done < length;) {
      if (this.#abandoned()) return ended(done, 0, "stopped");
      const part = Math.min(buffer.size, length - done);
      const result = yield* this.#buffered(BlockOp.read, { offset: offset + done, length: part });
      done += result.done;
      if (result.error !== 0) return ended(done, result.error);
    }
    return ended(length, 0);
  }

  *#dma(op: BlockOpCode, { offset, length, table }: Job): Steps<JobResult> {
    this.#table.start(table);
    for (let done = 0; done < length;) {
      if (this.#abandoned()) return ended(done, 0, "stopped");
      this.#request.start(op, offset + done);
      this.#table.gather(this.#request, Math.min(length - done, MAX_CALL), SECTOR);
      if (this.#request.length > 0) {
        const moved = this.#request.length;
        const error = yield;
        if (error !== 0) {
          const result = yield* this.#blame(op, offset + done);
          return { ...result, done: done + result.done };
        }
        done += moved;
        continue;
      }
      const result = yield* this.#bounce(op, offset + done, length - done);
      done += result.done;
      if (result.error !== 0 || result.dma !== "exact") return { ...result, done };
    }
    return ended(length, 0, this.#table.exhausted ? "exact" : "more");
  }

  /** Does again, sector by sector, what failed as one request at byte `offset` of the storage. */
  *#blame(op: BlockOpCode, offset: number): Steps<JobResult> {
    const pieces = this.#request.pieces();
    let done = 0;
    for (const { region, offset: start, length } of pieces) {
      for (let at = 0; at < length; at += SECTOR, done += SECTOR) {
        if (this.#abandoned()) return ended(done, 0, "stopped");
        this.#request.start(op, offset + done);
        this.#request.addPiece(region, start + at, SECTOR);
        const error = yield;
        if (error !== 0) return ended(done, error);
      }
    }
    return ended(done, EIO);
  }

  /** As much as the buffer takes, for pieces that are not made of whole sectors. */
  *#bounce(op: BlockOpCode, offset: number, most: number): Steps<JobResult> {
    const { buffer } = this.#host.jobs;
    const wanted = Math.min(most, buffer.size);
    if (op === BlockOp.write) {
      const outcome = this.#copy(0, wanted, false);
      const whole = this.#copied - (this.#copied % SECTOR);
      const result = whole === 0 ? ended(0, 0) : yield* this.#buffered(op, { offset, length: whole });
      return result.error === 0 ? { ...result, dma: outcome } : result;
    }
    // A table that ends, or leads nowhere, is seen before the storage is asked for nothing.
    const next = this.#table.peek();
    if (typeof next === "string") return ended(0, 0, next === "end" ? "short" : "fault");
    const result = yield* this.#buffered(op, { offset, length: wanted });
    if (result.done === 0) return result;
    const outcome = this.#copy(0, result.done, true);
    const whole = this.#copied - (this.#copied % SECTOR);
    return outcome === "exact" ? result : ended(whole, 0, outcome);
  }

  /** What `#copy` moved. */
  #copied = 0;

  /** Moves `length` bytes between the buffer, from `from` on, and what the table names. */
  #copy(from: number, length: number, toGuest: boolean): DmaOutcome {
    const { bytes } = this.#host.jobs.buffer;
    for (this.#copied = 0; this.#copied < length;) {
      const piece = this.#table.peek();
      if (typeof piece === "string") return piece === "end" ? "short" : "fault";
      const part = Math.min(piece.length, length - this.#copied);
      const at = from + this.#copied;
      const guest = piece.region.bytes.subarray(piece.offset, piece.offset + part);
      if (toGuest) guest.set(bytes.subarray(at, at + part));
      else bytes.set(guest, at);
      this.#table.consume(part);
      this.#copied += part;
    }
    return "exact";
  }

  // Nothing is asked of the storage here, but it is a job as the others are.
  *#dmaBuffer({ offset, length, table }: Job): Steps<JobResult> {
    const { bytes } = this.#host.jobs.buffer;
    // The bus is 16 bits wide.
    const padding = length % 2;
    if (padding === 1) bytes[offset + length] = 0;
    this.#table.start(table);
    const outcome = this.#copy(offset, length + padding, true);
    if (outcome !== "exact") return ended(this.#copied, 0, outcome);
    return ended(length, 0, this.#table.exhausted ? "exact" : "more");
  }

  /** All ranges are looked at before the first is discarded. */
  *#trim({ length, table }: Job): Steps<JobResult> {
    this.#table.start(table);
    const outcome = this.#copy(0, length, false);
    if (outcome !== "exact") return ended(0, 0, outcome);
    const { storage, jobs } = this.#host;
    const ranges = [];
    for (let at = 0; at < length; at += TRIM_ENTRY_BYTES) {
      const range = trimRange(jobs.buffer.view, at);
      if (range.sector + range.sectors > storage.sectors) return ended(0, EINVAL);
      if (range.sectors > 0) ranges.push(range);
    }
    for (const { sector, sectors } of ranges) {
      if (this.#abandoned()) return ended(0, 0, "stopped");
      this.#request.start(BlockOp.discard, sector * SECTOR, sectors * SECTOR);
      const error = yield;
      if (error !== 0) return ended(0, EINVAL);
    }
    return ended(length, 0, this.#table.exhausted ? "exact" : "more");
  }

  #abandoned(): boolean {
    return this.#host.jobs.abandoned() !== Abandon.no;
  }
}
