/**
 * A split virtqueue from the device's side: chains out of the available ring, and back into the used ring.
 *
 * Everything in the rings is the guest's and may change under us: each descriptor is fetched once, chains are bounded by
 * the queue's size, and buffers become pieces of guest memory or the queue is broken.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 2.7 "Split virtqueues"
 */
import type { GuestMemory, MemoryRegion } from "../../shared/memory.js";
import type { QueueState } from "./queue-state.js";
import { SegmentList } from "./segment-list.js";
import { AVAIL_NO_INTERRUPT, Desc, DescFlag, MAX_CHAIN_BYTES, USED_NO_NOTIFY } from "./virtio-abi.js";

export interface SplitQueueHost {
  readonly memory: GuestMemory;
  /** Changes whenever the driver starts the device anew, or one of its queues. */
  epoch(): number;
  /** Whether the driver took feature `bit`. */
  readonly eventIndex: () => boolean;
  readonly indirect: () => boolean;
  /** The driver broke the queue's protocol: the device needs a reset. The queue gives nothing more until then. */
  broken(reason: string): void;
}

/** Pieces beyond one for each descriptor: a buffer that lies in two regions has two. */
const SPARE_SEGMENTS = 8;
/** Index of the flags and of the index in either ring, in 16-bit words. */
const FLAGS = 0;
const INDEX = 1;
const RING = 2;
/** Bytes of a ring beside its elements: flags, index, event index. */
const RING_EXTRA = 6;
const USED_ELEMENT_BYTES = 8;

/** Descriptors that a driver hands over together: readable buffers first, then writable ones. */
export class DescriptorChain {
  /** Names the chain when it goes back. */
  head = 0;
  /** What the device may read. */
  readonly readable: SegmentList;
  /** What the device may write. */
  readonly writable: SegmentList;

  /** For queues of at most `maxSize` descriptors. */
  constructor(maxSize: number) {
    this.readable = new SegmentList(maxSize + SPARE_SEGMENTS);
    this.writable = new SegmentList(maxSize + SPARE_SEGMENTS);
  }
}

/** The three parts of a queue, where the driver put them. */
interface Rings {
  readonly size: number;
  readonly descriptors: DataView<SharedArrayBuffer>;
  readonly avail: Uint16Array<SharedArrayBuffer>;
  readonly used: Uint16Array<SharedArrayBuffer>;
  readonly usedElements: Uint32Array<SharedArrayBuffer>;
  readonly eventIndex: boolean;
  readonly indirect: boolean;
}

export class SplitQueue {
  readonly #host: SplitQueueHost;
  readonly #state: QueueState;
  #rings: Rings | undefined = undefined;
  #epoch = -1;

  constructor(host: SplitQueueHost, state: QueueState) {
    this.#host = host;
    this.#state = state;
  }

  /** Before the queue is served: finds its rings. False when it is off, or broken. While the driver has the device on. */
  open(): boolean {
    const epoch = this.#host.epoch();
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#rings = undefined;
      if (this.#state.enabled) {
        this.#rings = this.#findRings();
        if (this.#rings === undefined) this.#host.broken("its rings are not in memory, or misaligned");
      }
    }
    return this.#rings !== undefined;
  }

  /** Chains that wait; the queue may turn out to be broken. */
  waiting(): number {
    const rings = this.#rings;
    if (rings === undefined) return 0;
    const waiting = (Atomics.load(rings.avail, INDEX) - this.#state.nextAvail) & 0xffff;
    if (waiting <= rings.size) return waiting;
    this.#break("the available index is out of range");
    return 0;
  }

  /** Takes the next chain; false when none waits, or the queue is broken. */
  pop(chain: DescriptorChain): boolean {
    const rings = this.#rings;
    if (rings === undefined || this.waiting() === 0) return false;
    const { nextAvail } = this.#state;
    const head = rings.avail[RING + (nextAvail & (rings.size - 1))] ?? 0;
    this.#state.nextAvail = nextAvail + 1;
    const reason = this.#gather(rings, chain, head);
    if (reason === undefined) return true;
    this.#break(reason);
    return false;
  }

  /** Puts the last `count` chains back, as if they had not been taken. */
  unpop(count: number): void {
    this.#state.nextAvail -= count;
  }

  /** Gives a chain back with `written` bytes in its writable part. The driver sees it at the next {@link publish}. */
  push(head: number, written: number): void {
    const rings = this.#rings;
    if (rings === undefined) return;
    const { nextUsed } = this.#state;
    const at = 1 + (nextUsed & (rings.size - 1)) * 2;
    rings.usedElements[at] = head;
    rings.usedElements[at + 1] = written;
    this.#state.nextUsed = nextUsed + 1;
  }

  /** Lets the driver see what was pushed; true when it wants an interrupt for that. */
  publish(): boolean {
    const rings = this.#rings;
    const { nextUsed, signalledUsed } = this.#state;
    if (rings === undefined || nextUsed === signalledUsed) return false;
    // A full barrier: the event index is read after the driver can see the used index. [VIRTIO] 2.7.10
    Atomics.store(rings.used, INDEX, nextUsed);
    this.#state.signalledUsed = nextUsed;
    if (!rings.eventIndex) return (Atomics.load(rings.avail, FLAGS) & AVAIL_NO_INTERRUPT) === 0;
    const wanted = Atomics.load(rings.avail, RING + rings.size);
    return ((nextUsed - wanted - 1) & 0xffff) < ((nextUsed - signalledUsed) & 0xffff);
  }

  /** While the queue is served anyway. */
  disableNotifications(): void {
    const rings = this.#rings;
    // With event indices nothing need be said: the driver notifies when it passes the index that it was told last.
    if (rings !== undefined && !rings.eventIndex) Atomics.store(rings.used, FLAGS, USED_NO_NOTIFY);
  }

  /** The driver is to notify of the next chain; true when one has come meanwhile, so that the queue must be looked at again. */
  enableNotifications(): boolean {
    const rings = this.#rings;
    if (rings === undefined) return false;
    if (rings.eventIndex) {
      Atomics.store(rings.used, RING + rings.size * (USED_ELEMENT_BYTES / 2), this.#state.nextAvail);
    } else {
      Atomics.store(rings.used, FLAGS, 0);
    }
    return this.waiting() !== 0;
  }

  #findRings(): Rings | undefined {
    const { size, descriptors: table, driverArea, deviceArea } = this.#state;
    const { memory } = this.#host;
    const usedBytes = RING_EXTRA + size * USED_ELEMENT_BYTES;
    const tableRegion = aligned(memory, table, size * Desc.bytes, Desc.bytes);
    const availRegion = aligned(memory, driverArea, RING_EXTRA + size * 2, 2);
    const usedRegion = aligned(memory, deviceArea, usedBytes, 4);
    if (tableRegion === undefined || availRegion === undefined || usedRegion === undefined) return undefined;
    const used = usedRegion.start + deviceArea - usedRegion.gpa;
    return {
      size,
      descriptors: new DataView(tableRegion.buffer, tableRegion.start + table - tableRegion.gpa, size * Desc.bytes),
      avail: new Uint16Array(availRegion.buffer, availRegion.start + driverArea - availRegion.gpa, size + 3),
      used: new Uint16Array(usedRegion.buffer, used, usedBytes / 2),
      usedElements: new Uint32Array(usedRegion.buffer, used, 1 + size * 2),
      eventIndex: this.#host.eventIndex(),
      indirect: this.#host.indirect(),
    };
  }

  /** Fetches the chain from `head` on; what is wrong with it, if anything. */
  #gather(rings: Rings, chain: DescriptorChain, head: number): string | undefined {
    const { memory } = this.#host;
    const { readable, writable } = chain;
    readable.clear();
    writable.clear();
    chain.head = head;
    let table = rings.descriptors;
    let entries = rings.size;
    let at = 0;
    let index = head;
    // As long as the largest queue at most, indirect or not: that ends every loop. [VIRTIO] 2.7.5.3.1
    for (let left = this.#state.maxSize; ;) {
      if (index >= entries) return "a descriptor index is out of range";
      const offset = at + index * Desc.bytes;
      const address =
        table.getUint32(offset + Desc.address, true) + table.getUint32(offset + Desc.address + 4, true) * 0x1_0000_0000;
      const length = table.getUint32(offset + Desc.length, true);
      const flags = table.getUint16(offset + Desc.flags, true);
      const next = table.getUint16(offset + Desc.next, true);
      if ((flags & DescFlag.indirect) !== 0) {
        if (!rings.indirect || table !== rings.descriptors || (flags & DescFlag.next) !== 0) {
          return "an indirect descriptor is where none may be";
        }
        if (length === 0 || length % Desc.bytes !== 0) return "an indirect table has a wrong length";
        const region = memory.region(address, length);
        if (region === undefined) return "an indirect table is not in memory";
        table = region.view;
        at = address - region.gpa;
        entries = length / Desc.bytes;
        index = 0;
        continue;
      }
      if (--left < 0) return "a chain is too long";
      const list = (flags & DescFlag.write) !== 0 ? writable : readable;
      if (list === readable && writable.totalBytes > 0) return "a readable buffer follows a writable one";
      if (readable.totalBytes + writable.totalBytes + length > MAX_CHAIN_BYTES) return "a chain has too many bytes";
      if (!list.add(memory, address, length)) return "a buffer is not in memory";
      if ((flags & DescFlag.next) === 0) return undefined;
      index = next;
    }
  }

  #break(reason: string): void {
    this.#rings = undefined;
    this.#host.broken(reason);
  }
}

function aligned(memory: GuestMemory, at: number, length: number, alignment: number): MemoryRegion | undefined {
  return at % alignment === 0 ? memory.region(at, length) : undefined;
}
