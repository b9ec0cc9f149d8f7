/**
 * Reads of an IDE disk that the storage has at hand: who posts such a job carries it out itself, and nobody is woken for
 * it. All others, and those that turn out to need more, are the disk actor's, as if nobody had tried.
 *
 * On a vCPU's thread, after the access that started the command, without the channel's lock.
 */
import type { GuestMemory } from "../../shared/memory.js";
import { BlockOp } from "../block-backend.js";
import type { BlockRequest } from "../block-backend.js";
import { SECTOR } from "./ata.js";
import type { JobSource } from "./ide-channel.js";
import { ended, JobOp } from "./job.js";
import type { Job } from "./job.js";
import { PrdTable } from "./prd-table.js";
import { StorageRequest } from "./storage-request.js";

/** Storage that can tell what it need not wait for. */
export interface ReadyStorage {
  /** Reads all of it at once, without waiting for a device; false, with any part of it read, when that cannot be. */
  readAtOnce(request: Omit<BlockRequest, "complete">): boolean;
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
  readonly #request = new StorageRequest(() => undefined);

  constructor(host: ReadyReadsHost) {
    this.#host = host;
    this.#table = new PrdTable(host.memory);
  }

  /** Carries out the job that waits; false when there is one for the actor, or none. */
  tryJob(): boolean {
    const { jobs, storage } = this.#host;
    const job = jobs.takeRead(MOST_AT_ONCE);
    if (job === undefined) return false;
    this.#request.start(BlockOp.read, job.offset);
    const exhausted = this.#gather(job);
    if (this.#request.length < job.length || !storage.readAtOnce(this.#request)) {
      jobs.giveBack();
      return false;
    }
    jobs.finish(ended(job.length, 0, exhausted ? "exact" : "more"));
    return true;
  }

  /** True when the job's memory has no room left. */
  #gather({ op, length, table }: Job): boolean {
    if (op === JobOp.read) {
      this.#request.add(this.#host.jobs.buffer, 0, length);
      return true;
    }
    this.#table.start(table);
    this.#table.gather(this.#request, length, SECTOR);
    return this.#table.exhausted;
  }
}
