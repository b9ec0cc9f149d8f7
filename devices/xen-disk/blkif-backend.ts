/**
 * The data plane of one ring of a PV disk: requests from the ring to the storage and responses back, on the disk actor's
 * thread. Data never bounces: segments are guest memory itself. A guest that breaks the ring protocol stops its ring.
 *
 * [BLKIF] xen.git xen/include/public/io/blkif.h
 * [RING] xen.git xen/include/public/io/ring.h
 */
import type { GuestMemory } from "../../shared/memory.js";
import { BLKIF_ABIS, BlkifStatus } from "./blkif-abi.js";
import { BlkifCounters } from "./blkif-counters.js";
import { BlkifReader, READY } from "./blkif-reader.js";
import { BlkifRequest } from "./blkif-request.js";
import { BlkifRing } from "./blkif-ring.js";
import type { BlockBackend } from "../block-backend.js";
import type { RingConnection } from "./disk-plane.js";
import { GrantCache } from "./grant-cache.js";
import type { GrantAccess } from "./grant-cache.js";
import { mapRingPages, unmapRingPages } from "./ring-pages.js";

export interface BlkifHost {
  readonly grants: GrantAccess;
  readonly memory: GuestMemory;
  readonly storage: BlockBackend;
  /** Raises the ring's event channel in the guest. */
  notify(): void;
  /** Work was left so that others get their turn: call `kick` again soon. */
  again(): void;
  /** The guest broke the ring protocol. Once for each connection. */
  stopped(reason: string): void;
}

export interface BlkifOptions {
  /** Most grants that stay mapped between requests. */
  readonly maxPersistentGrants?: number;
}

/** What Linux's front end uses with its default of 32 indirect segments on one page: 32 * 32 data pages and 32 of descriptors. */
const DEFAULT_PERSISTENT_GRANTS = 1056;
/** EOPNOTSUPP: what a host's fallocate answers where it cannot punch holes. */
const EOPNOTSUPP = 95;
/** Rings' worth of requests that one kick serves before others get their turn. */
const RINGS_PER_KICK = 4;

export class BlkifBackend {
  readonly counters = new BlkifCounters();
  readonly #host: BlkifHost;
  readonly #cache: GrantCache;
  /** Requests at rest. Grows to the most that were ever in flight, at most the ring's size. */
  readonly #pool: BlkifRequest[] = [];
  readonly #completed = (request: BlkifRequest, error: number): void => {
    this.#onCompleted(request, error);
  };
  #ring: BlkifRing | undefined = undefined;
  #reader: BlkifReader | undefined = undefined;
  #ringRefs: readonly number[] = [];
  /** False while quiesced or closing. */
  #fetching = false;
  #broken = false;
  #closing = false;
  /** Fetched and not yet answered, a waiting barrier included. */
  #inFlight = 0;
  /** A barrier that waits or is under way: nothing is fetched meanwhile. */
  #barrier: BlkifRequest | undefined = undefined;
  #barrierWaits = false;
  /** Fetching ended at a barrier: it goes on when that is done. */
  #heldUp = false;
  /** Open batches: responses are pushed when the last one ends. */
  #batches = 0;
  /** Raised by reset, so that completions of an earlier life are told apart. */
  #generation = 0;
  /** To be called when nothing is in flight any more. */
  #drained: (() => void)[] = [];

  constructor(host: BlkifHost, options: BlkifOptions = {}) {
    this.#host = host;
    this.#cache = new GrantCache(host.grants, host.memory, options.maxPersistentGrants ?? DEFAULT_PERSISTENT_GRANTS);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get connected(): boolean {
    return this.#ring !== undefined;
  }

  get persistentGrants(): number {
    return this.#cache.size;
  }

  /** Maps the ring and serves what already waits in it; else says why not, and nothing stays mapped. */
  connect(connection: RingConnection): string | undefined {
    if (this.#ring !== undefined) return "the ring is connected already";
    const { grants, memory } = this.#host;
    const pages = mapRingPages(grants, memory, connection.ringRefs);
    if (typeof pages === "number") return `grant ${pages} of the ring cannot be mapped`;
    const first = pages[0];
    if (first === undefined) return "the ring has no page";
    const abi = BLKIF_ABIS[connection.abi];
    const ring = new BlkifRing(abi, first, pages);
    if (ring.waiting() < 0) {
      unmapRingPages(grants, connection.ringRefs);
      return "the ring's indices make no sense";
    }
    this.#cache.open(connection.persistent);
    this.#ring = ring;
    this.#reader = new BlkifReader(abi, this.#cache);
    this.#ringRefs = connection.ringRefs;
    this.#broken = false;
    this.#fetching = true;
    this.kick();
    return undefined;
  }

  /** The guest notified us, or `again` was asked for. */
  kick(): void {
    const ring = this.#ring;
    if (ring === undefined || !this.#fetching || this.#broken) return;
    this.#batches++;
    this.#fetchAll(ring);
    this.endBatch();
  }

  /** Until the matching `endBatch`, completions do not push their responses one by one. */
  beginBatch(): void {
    this.#batches++;
  }

  endBatch(): void {
    this.#batches--;
    this.#settle();
  }

  /** Stops fetching; `done` is called once nothing is in flight, maybe at once. */
  quiesce(done: () => void): void {
    this.#fetching = false;
    this.#drained.push(done);
    this.#settle();
  }

  /** Goes on after `quiesce`. */
  resume(): void {
    if (this.#ring === undefined || this.#closing) return;
    this.#fetching = true;
    this.kick();
  }

  /** As `quiesce`, and then unmaps everything: only now may the guest reuse its pages. */
  disconnect(done: () => void): void {
    this.#closing = true;
    this.quiesce(() => {
      if (this.#ring !== undefined) {
        this.#cache.close();
        unmapRingPages(this.#host.grants, this.#ringRefs);
      }
      this.#forgetRing();
      done();
    });
  }

  /** The machine starts anew, its grant table with it: forgets all without touching either. Quiesce first. */
  reset(): void {
    this.#generation++;
    this.#cache.forget();
    this.#forgetRing();
    this.#inFlight = 0;
    this.#barrier = undefined;
    this.#barrierWaits = false;
    this.#drained = [];
  }

  #forgetRing(): void {
    this.#ring = undefined;
    this.#reader = undefined;
    this.#ringRefs = [];
    this.#fetching = false;
    this.#broken = false;
    this.#closing = false;
    this.#heldUp = false;
  }

  /** Serves the ring until it is empty, a barrier holds it up, or it has had its turn. */
  #fetchAll(ring: BlkifRing): void {
    let budget = ring.size * RINGS_PER_KICK;
    while (this.#fetching) {
      if (this.#barrier !== undefined) {
        this.#heldUp = true;
        return;
      }
      const waiting = ring.waiting();
      if (waiting < 0) {
        this.#break();
        return;
      }
      if (waiting === 0) {
        // Responses go out before the last look, so that a guest waiting for one can ask for more.
        this.#push(ring);
        if (!ring.armAndCheck()) return;
      } else {
        this.#startNext(ring);
      }
      if (--budget === 0) {
        this.#host.again();
        return;
      }
    }
  }

  #startNext(ring: BlkifRing): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const request = this.#pool.pop() ?? new BlkifRequest(this.#completed);
    request.clear();
    request.generation = this.#generation;
    request.active = true;
    const status = reader.prepare(ring, request, this.#host.storage);
    this.#inFlight++;
    if (status !== READY) {
      this.#finish(request, status);
    } else if (request.barrier) {
      this.#barrier = request;
      this.#barrierWaits = true;
      this.#startBarrierWhenAlone();
    } else {
      this.#submit(request);
    }
  }

  #startBarrierWhenAlone(): void {
    const barrier = this.#barrier;
    if (barrier === undefined || !this.#barrierWaits || this.#inFlight > 1) return;
    this.#barrierWaits = false;
    this.#submit(barrier);
  }

  #submit(request: BlkifRequest): void {
    this.counters.submitted(request);
    this.#host.storage.submit(request);
  }

  #onCompleted(request: BlkifRequest, error: number): void {
    if (!request.active) throw new Error("A block request was completed twice");
    if (request.generation !== this.#generation) {
      // Its grants went with the grant table of its time.
      request.active = false;
      this.#pool.push(request);
    } else if (error !== 0) {
      this.#finish(request, error === EOPNOTSUPP ? BlkifStatus.notSupported : BlkifStatus.error);
    } else if (request.writeNext) {
      request.writeNext = false;
      request.aimAtWrite();
      this.#submit(request);
    } else if (request.flushNext) {
      request.flushNext = false;
      request.aimAtFlush();
      this.#submit(request);
    } else {
      this.#finish(request, BlkifStatus.okay);
    }
  }

  /** Grants go back before the response: the guest may revoke them the moment that it sees it. */
  #finish(request: BlkifRequest, status: number): void {
    request.releaseGrants(this.#cache);
    request.active = false;
    if (status !== BlkifStatus.okay) this.counters.errors++;
    if (this.#barrier === request) this.#barrier = undefined;
    if (this.#ring !== undefined && !this.#broken) this.#ring.respond(request, status);
    this.#pool.push(request);
    this.#inFlight--;
    this.#settle();
  }

  /** What follows from a change in what is in flight, once no batch is open. */
  #settle(): void {
    if (this.#batches > 0) return;
    const ring = this.#ring;
    if (ring !== undefined) this.#push(ring);
    if (this.#barrierWaits) {
      // The storage may complete it at once: the batch keeps that from coming back here.
      this.#batches++;
      this.#startBarrierWhenAlone();
      this.#batches--;
      if (ring !== undefined) this.#push(ring);
    }
    if (this.#heldUp && this.#barrier === undefined) {
      this.#heldUp = false;
      this.kick();
    }
    if (this.#inFlight === 0 && this.#drained.length > 0) {
      const drained = this.#drained;
      this.#drained = [];
      for (const done of drained) done();
    }
  }

  #push(ring: BlkifRing): void {
    if (!this.#broken && ring.push()) this.#host.notify();
  }

  /** Ill-behaved front end: no more requests, no more responses. What the storage has is still waited for. */
  #break(): void {
    this.#broken = true;
    this.#fetching = false;
    this.#host.stopped("the ring's request index is out of range");
  }
}
