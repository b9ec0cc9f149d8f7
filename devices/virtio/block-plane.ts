/**
 * The data plane of a virtio block device, on its disk's actor: requests from the queue to the storage, and back. Data
 * never bounces: buffers are guest memory itself. A driver that breaks the protocol has to reset the device.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.2.6 "Device operation"
 */
import type { GuestMemory } from "../../shared/memory.js";
import type { BlockBackend } from "../block-backend.js";
import { BlockFeature, BlockStatus, ID_BYTES } from "./block-abi.js";
import { MALFORMED, READY, VirtioBlockRequest } from "./block-request.js";
import type { BlockLimits } from "./block-request.js";
import { SplitQueue } from "./split-queue.js";
import { Feature } from "./virtio-abi.js";
import type { VirtioBlock } from "./virtio-block.js";
import type { VirtioState } from "./virtio-state.js";

export interface VirtioBlockPlaneHost {
  readonly device: VirtioBlock;
  readonly state: VirtioState;
  readonly memory: GuestMemory;
  readonly storage: BlockBackend;
  /** At most {@link ID_BYTES} characters of ASCII. */
  readonly serial: string;
  /** Work was left so that others get their turn: call `kick` again soon. */
  again(): void;
  /** The driver broke the protocol, and the device waits for its reset. */
  broken(reason: string): void;
}

const QUEUE = 0;
/** EOPNOTSUPP: what a host's fallocate answers where it cannot do it. */
const EOPNOTSUPP = 95;
/** Requests that one kick serves before others get their turn. */
const REQUESTS_PER_KICK = 1024;
/** Answers wait for each other until there are so many, or so many bytes, or no more requests. */
const BATCH_REQUESTS = 16;
const BATCH_BYTES = 128 * 1024;

export class VirtioBlockPlane {
  readonly #host: VirtioBlockPlaneHost;
  readonly #queue: SplitQueue;
  readonly #id = new Uint8Array(ID_BYTES);
  /** Requests at rest. Grows to the most that were ever in flight, at most the queue's size. */
  readonly #pool: VirtioBlockRequest[] = [];
  readonly #completed = (request: VirtioBlockRequest, error: number): void => {
    this.#onCompleted(request, error);
  };
  #inFlight = 0;
  /** We keep the device from being reset. */
  #claimed = false;
  /** The queue is being served further down the stack. */
  #serving = false;
  #paused = false;
  /** Answered, and not yet shown to the driver. */
  #batchRequests = 0;
  #batchBytes = 0;
  /** To be called when nothing is in flight any more. */
  #drained: (() => void)[] = [];

  constructor(host: VirtioBlockPlaneHost) {
    this.#host = host;
    this.#queue = new SplitQueue(
      {
        memory: host.memory,
        epoch: () => host.state.epoch(),
        eventIndex: () => host.state.accepted(Feature.eventIdx),
        indirect: () => host.state.accepted(Feature.indirectDesc),
        broken: (reason) => {
          this.#break(reason);
        },
      },
      host.state.queues[QUEUE] ?? missingQueue(),
    );
    for (let i = 0; i < Math.min(ID_BYTES, host.serial.length); i++) this.#id[i] = host.serial.charCodeAt(i);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The driver notified us, or `again` was asked for. */
  kick(): void {
    if (this.#paused || this.#serving) return;
    if (!this.#claimed) this.#claimed = this.#host.state.begin();
    if (!this.#claimed) return;
    this.#serving = true;
    if (this.#queue.open()) this.#serve();
    this.#serving = false;
    this.#settle();
  }

  /** For a pause, a snapshot or a reset: takes nothing more; `done` is called once nothing is in flight, maybe at once. */
  quiesce(done: () => void): void {
    this.#paused = true;
    this.#drained.push(done);
    this.#settle();
  }

  resume(): void {
    this.#paused = false;
    this.kick();
  }

  /** Serves the queue until it is empty, the device is to rest, or this was its turn. */
  #serve(): void {
    const queue = this.#queue;
    const { state } = this.#host;
    const limits = this.#limits();
    let budget = REQUESTS_PER_KICK;
    queue.disableNotifications();
    do {
      for (;;) {
        if (this.#paused || state.wantsRest) return;
        if (budget-- === 0) {
          this.#host.again();
          return;
        }
        if (!this.#startNext(limits)) break;
      }
      // Answers go out before the last look, so that a driver that waits for one can ask for more.
      this.#publish();
    } while (queue.enableNotifications());
  }

  #limits(): BlockLimits {
    const { state, storage, device } = this.#host;
    // Without a flush command, or as the driver says, what was written is on the disk when that is told. [VIRTIO] 5.2.5.2
    const writeback = state.accepted(BlockFeature.configWce) ? device.writeback : state.accepted(BlockFeature.flush);
    return { storage, id: this.#id, writeThrough: !writeback };
  }

  /** False when there is no request. */
  #startNext(limits: BlockLimits): boolean {
    const request = this.#pool.pop() ?? new VirtioBlockRequest(this.#host.device.queueSizes[QUEUE], this.#completed);
    if (!this.#queue.pop(request.chain)) {
      this.#pool.push(request);
      return false;
    }
    const status = request.prepare(limits);
    if (status === MALFORMED) {
      this.#pool.push(request);
      this.#break("a request has no room for header or status");
      return false;
    }
    this.#inFlight++;
    if (status === READY) this.#host.storage.submit(request);
    else this.#finish(request, status);
    return true;
  }

  #onCompleted(request: VirtioBlockRequest, error: number): void {
    if (error !== 0) {
      this.#finish(request, error === EOPNOTSUPP ? BlockStatus.unsupported : BlockStatus.ioError);
    } else if (request.flushNext) {
      request.aimAtFlush();
      this.#host.storage.submit(request);
    } else {
      this.#finish(request, BlockStatus.ok);
    }
  }

  #finish(request: VirtioBlockRequest, status: number): void {
    this.#queue.push(request.chain.head, request.answer(status));
    this.#batchRequests++;
    this.#batchBytes += request.length;
    if (this.#batchRequests >= BATCH_REQUESTS || this.#batchBytes >= BATCH_BYTES) this.#publish();
    this.#pool.push(request);
    this.#inFlight--;
    this.#settle();
  }

  #publish(): void {
    this.#batchRequests = 0;
    this.#batchBytes = 0;
    if (this.#queue.publish()) this.#host.state.interrupt(QUEUE);
  }

  /** What follows once the queue is left alone. */
  #settle(): void {
    if (this.#serving) return;
    this.#publish();
    if (this.#inFlight > 0) return;
    if (this.#claimed) {
      this.#claimed = false;
      this.#host.state.end();
    }
    const drained = this.#drained;
    if (drained.length === 0) return;
    this.#drained = [];
    for (const done of drained) done();
  }

  #break(reason: string): void {
    this.#host.broken(reason);
    this.#host.state.needReset();
  }
}

/** @throws RangeError always: the device's description and this file disagree */
function missingQueue(): never {
  throw new RangeError("A virtio block device has no queue");
}
