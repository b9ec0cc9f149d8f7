/**
 * Reads of an IDE disk that the storage has at hand: who posts such a job carries it out itself, and nobody is woken for
 * it. All others, and those that turn out to need more, are the disk actor's, as if nobody had tried.
 *
 * On a vCPU's thread, after the access that started the command, without the channel's lock.
 */
import type { GuestMemory } from "../../shared/memory.js";
import { SECTOR } from "./ata.js";
import type { JobSource } from "./ide-channel.js";
import { ended, JobOp } from "./job.js";
import type { Job } from "./job.js";
import { PrdTable } from "./prd-table.js";
import type { PieceSink } from "./prd-table.js";

/** Storage that can tell what it need not wait for. */
export interface ReadyStorage {
  /** Where the next read goes. */
  readonly pieces: PieceSink & { clear(): void };
  /**
   * Reads `length` bytes from byte `offset` on into the pieces, which are that long, without waiting for a device; false,
   * with any part of it read, when that cannot be.
   */
  readAtOnce(offset: number, length: number): boolean;
}

export interface ReadyReadsHost {
  readonly jobs: JobSource;
  readonly memory: GuestMemory;
  readonly storage: ReadyStorage;
}

/** Bytes that a vCPU copies at most before it goes on: some 100 us. */
export const MOST_AT_ONCE = 1024 * 1024;

export class ReadyReads {
  readonly #host: ReadyReadsHost;
  readonly #table: PrdTable;

  constructor(host: ReadyReadsHost) {
    this.#host = host;
    this.#table = new PrdTable(host.memory);
  }

  /** Carries out the job that waits; false when there is one for the actor, or none. */
  tryJob(): boolean {
    const { jobs, storage } = this.#host;
    const job = jobs.takeRead(MOST_AT_ONCE);
    if (job === undefined) return false;
    if (!this.#gather(job) || !storage.readAtOnce(job.offset, job.length)) {
      jobs.giveBack();
      return false;
    }
    const more = job.op === JobOp.dmaRead && !this.#table.exhausted;
    jobs.finish(ended(job.length, 0, more ? "more" : "exact"));
    return true;
  }

  /** False when the storage cannot read straight into all that the job names. */
  #gather({ op, length, table }: Job): boolean {
    const { jobs, storage } = this.#host;
    storage.pieces.clear();
    if (op === JobOp.read) return storage.pieces.addPiece(jobs.buffer, 0, length);
    this.#table.start(table);
    return this.#table.gather(storage.pieces, length, SECTOR) === length;
  }
}
