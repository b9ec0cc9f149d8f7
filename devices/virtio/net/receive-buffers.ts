/**
 * The buffers that the next frame goes into: taken from the receive queue until they hold it, and given back when
 * nothing came.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.1.6.4 "Processing of incoming packets"
 */
import { MAX_PIECES } from "../../net/wire.js";
import { SegmentList } from "../segment-list.js";
import type { QueueState } from "../queue-state.js";
import { DescriptorChain } from "../split-queue.js";
import type { SplitQueue } from "../split-queue.js";
import { NET_HEADER_BYTES, NUM_BUFFERS_OFFSET } from "./net-abi.js";

export class ReceiveBuffers {
  /** What was taken, in order. */
  readonly segments = new SegmentList(MAX_PIECES);
  readonly #queue: SplitQueue;
  readonly #state: QueueState;
  /** The first `#count` are taken; the others wait to be used again. */
  readonly #chains: DescriptorChain[] = [];
  readonly #header = new Uint8Array(NET_HEADER_BYTES);
  #count = 0;

  constructor(queue: SplitQueue, state: QueueState) {
    this.#queue = queue;
    this.#state = state;
  }

  /**
   * Takes buffers until there is room for `bytes`. "never": they do not fit in what the driver gives, though it gave all
   * that it can; "none yet": it has to give more. A driver that does not merge buffers gives one that is large enough.
   */
  makeRoom(bytes: number, merges: boolean): "ready" | "none yet" | "never" {
    while (this.segments.totalBytes < bytes) {
      if (this.#count === (merges ? this.#state.size : 1)) return "never";
      const chain = (this.#chains[this.#count] ??= new DescriptorChain(this.#state.maxSize));
      if (!this.#queue.pop(chain)) return "none yet";
      this.#count++;
      if (!this.segments.addAll(chain.writable)) {
        this.giveBack();
        return "never";
      }
    }
    return "ready";
  }

  /**
   * Gives the buffers to the driver with a frame of `bytes` in them, its header included; writes the header, or only the
   * number of buffers in one that the wire has written.
   */
  finish(bytes: number, headerWritten: boolean): void {
    let used = 0;
    for (let room = 0; room < bytes; used++) room += this.#chains[used]?.writable.totalBytes ?? bytes;
    this.#header[NUM_BUFFERS_OFFSET] = used & 0xff;
    this.#header[NUM_BUFFERS_OFFSET + 1] = used >>> 8;
    if (headerWritten) this.segments.store(NUM_BUFFERS_OFFSET, this.#header.subarray(NUM_BUFFERS_OFFSET));
    else this.segments.store(0, this.#header);
    for (let i = 0, left = bytes; i < used; i++) {
      const chain = this.#chains[i];
      if (chain === undefined) break;
      const written = Math.min(left, chain.writable.totalBytes);
      this.#queue.push(chain.head, written);
      left -= written;
    }
    this.#queue.unpop(this.#count - used);
    this.forget();
  }

  /** Puts what was taken back into the queue. */
  giveBack(): void {
    this.#queue.unpop(this.#count);
    this.forget();
  }

  /** The queue is another now. */
  forget(): void {
    this.#count = 0;
    this.segments.clear();
  }
}
