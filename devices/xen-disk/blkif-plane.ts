/**
 * A PV disk's data plane as the disk actor runs it: one back end for each queue, and the control side's requests carried
 * out one after the other.
 */
import type { EvtchnPort } from "../../shared/brand.js";
import type { GuestMemory } from "../../shared/memory.js";
import { BlkifBackend } from "./blkif-backend.js";
import type { BlkifOptions } from "./blkif-backend.js";
import type { BlockBackend } from "../block-backend.js";
import type { DiskConnection, DiskPlane, DiskPlaneEvents } from "./disk-plane.js";
import type { GrantAccess } from "./grant-cache.js";

export interface BlkifPlaneHost {
  readonly grants: GrantAccess;
  readonly memory: GuestMemory;
  readonly storage: BlockBackend;
  readonly events: DiskPlaneEvents;
  /** Raises `port` in the guest. */
  notify(port: EvtchnPort): void;
  /** Work was left so that others get their turn: call `kick` again soon. */
  again(): void;
}

/** A back end and the port that it notifies. */
interface Queue {
  readonly backend: BlkifBackend;
  port: EvtchnPort;
}

/** The other request, beside a connection. At most one of each waits: the control side waits for its answers. */
const DISCONNECT = "disconnect";

export class BlkifPlane implements DiskPlane {
  readonly #host: BlkifPlaneHost;
  readonly #options: BlkifOptions;
  /** Made when first used, and kept. */
  readonly #queues: Queue[] = [];
  #requests: (DiskConnection | typeof DISCONNECT)[] = [];
  /** A disconnect is under way. */
  #closing = false;
  #paused = false;
  /** Batches that are open now; a queue made meanwhile joins them. */
  #batches = 0;

  constructor(host: BlkifPlaneHost, options: BlkifOptions = {}) {
    this.#host = host;
    this.#options = options;
  }

  get inFlight(): number {
    return this.#queues.reduce((sum, { backend }) => sum + backend.inFlight, 0);
  }

  /** The back ends, for their counters. */
  get backends(): readonly BlkifBackend[] {
    return this.#queues.map(({ backend }) => backend);
  }

  connect(connection: DiskConnection): void {
    this.#requests.push(connection);
    this.#proceed();
  }

  disconnect(): void {
    // A connection that waits for the end of a pause has nothing to end, and must not hold this up.
    if (this.#requests.at(-1) !== DISCONNECT) this.#requests.pop();
    this.#requests.push(DISCONNECT);
    this.#proceed();
  }

  /** The guest notified one of our ports, or `again` was asked for. */
  kick(): void {
    for (const { backend } of this.#queues) backend.kick();
  }

  /** Until the matching `endBatch`, completions do not push their responses one by one. */
  beginBatch(): void {
    this.#batches++;
    for (const { backend } of this.#queues) backend.beginBatch();
  }

  endBatch(): void {
    this.#batches--;
    // A queue that a completion below brings up has not joined.
    for (const { backend } of [...this.#queues]) backend.endBatch();
  }

  /** For a pause or a snapshot: stops fetching; `done` is called once nothing is in flight, maybe at once. */
  quiesce(done: () => void): void {
    this.#paused = true;
    this.#forEach((backend, next) => {
      backend.quiesce(next);
    }, done);
  }

  resume(): void {
    this.#paused = false;
    for (const { backend } of this.#queues) backend.resume();
    this.#proceed();
  }

  /** The machine starts anew with an empty grant table: forgets all without touching the guest. Quiesce first. */
  reset(): void {
    for (const { backend } of this.#queues) backend.reset();
    this.#requests = [];
    this.#closing = false;
    this.#paused = false;
  }

  #proceed(): void {
    while (!this.#closing) {
      const request = this.#requests[0];
      // While paused nothing is begun, but what there is may be ended.
      if (request === undefined || (this.#paused && request !== DISCONNECT)) return;
      this.#requests.shift();
      if (request === DISCONNECT) this.#disconnectAll();
      else this.#connectAll(request);
    }
  }

  #connectAll(connection: DiskConnection): void {
    for (const [index, ring] of connection.queues.entries()) {
      const queue = this.#queue(index);
      queue.port = ring.port;
      const reason = queue.backend.connect(ring);
      if (reason !== undefined) {
        // The control side disconnects in answer: that ends the queues that did connect.
        this.#host.events.stopped(reason);
        return;
      }
    }
  }

  #disconnectAll(): void {
    this.#closing = true;
    this.#forEach(
      (backend, next) => {
        backend.disconnect(next);
      },
      () => {
        this.#closing = false;
        this.#host.events.disconnected();
        this.#proceed();
      },
    );
  }

  /** Calls `done` when each back end has called `next`. */
  #forEach(start: (backend: BlkifBackend, next: () => void) => void, done: () => void): void {
    let open = this.#queues.length + 1;
    const next = (): void => {
      if (--open === 0) done();
    };
    for (const { backend } of this.#queues) start(backend, next);
    next();
  }

  #queue(index: number): Queue {
    const known = this.#queues[index];
    if (known !== undefined) return known;
    const { grants, memory, storage } = this.#host;
    const queue: Queue = {
      port: 0 as EvtchnPort,
      backend: new BlkifBackend(
        {
          grants,
          memory,
          storage,
          notify: () => {
            this.#host.notify(queue.port);
          },
          again: () => {
            this.#host.again();
          },
          stopped: (reason) => {
            this.#host.events.stopped(reason);
          },
        },
        this.#options,
      ),
    };
    for (let i = 0; i < this.#batches; i++) queue.backend.beginBatch();
    this.#queues.push(queue);
    return queue;
  }
}
