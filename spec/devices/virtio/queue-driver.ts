/** The driver's side of a split queue, for specs: rings and buffers in guest memory, written as a guest would. */
import { SharedArena } from "../../../shared/arena.js";
import { gpa } from "../../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../../shared/memory.js";
import { QueueState } from "../../../devices/virtio/queue-state.js";

/** A descriptor as a driver writes it. Addresses may be any 64-bit number. */
export interface TestDescriptor {
  readonly address: bigint | number;
  readonly length: number;
  readonly flags?: number;
  readonly next?: number;
}

/** [VIRTIO] 2.7.5 */
export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

export const LOW_BYTES = 0x2_0000;
export const HIGH_START = 0x10_0000;
export const HIGH_BYTES = 0x1_0000;
/** Adjacent to the region before: a buffer can lie in both. */
export const NEXT_START = HIGH_START + HIGH_BYTES;
export const NEXT_BYTES = 0x4000;

/** Where the rings are: 2.7.2's alignments. */
const TABLE = 0x1000;
const AVAIL = 0x3000;
const USED = 0x4000;

export class QueueDriver {
  readonly buffer = new SharedArrayBuffer(LOW_BYTES + HIGH_BYTES + NEXT_BYTES);
  readonly memory = new GuestMemory([
    new MemoryRegion(gpa(0), LOW_BYTES, this.buffer, 0),
    new MemoryRegion(gpa(HIGH_START), HIGH_BYTES, this.buffer, LOW_BYTES),
    new MemoryRegion(gpa(NEXT_START), NEXT_BYTES, this.buffer, LOW_BYTES + HIGH_BYTES),
  ]);
  readonly view = new DataView(this.buffer);
  readonly bytes = new Uint8Array(this.buffer);
  readonly size: number;
  /** Next index of the available ring. */
  availIndex = 0;

  constructor(size: number) {
    this.size = size;
  }

  /** A state that points at the rings. */
  state(maxSize = this.size): QueueState {
    const state = new QueueState(new SharedArena(new SharedArrayBuffer(4096)), maxSize);
    state.reset();
    state.size = this.size;
    state.setAddress("descLow", TABLE);
    state.setAddress("driverLow", AVAIL);
    state.setAddress("deviceLow", USED);
    state.enable();
    return state;
  }

  descriptor(index: number, { address, length, flags = 0, next = 0 }: TestDescriptor, table = TABLE): void {
    const at = table + index * 16;
    this.view.setBigUint64(at, BigInt(address), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  /** Writes the descriptors from `first` on, each leading to the next, and makes the chain available. */
  chain(descriptors: readonly TestDescriptor[], first = 0): void {
    for (const [i, descriptor] of descriptors.entries()) {
      const link = i + 1 < descriptors.length ? NEXT : 0;
      const { flags = 0 } = descriptor;
      this.descriptor(first + i, { ...descriptor, flags: flags | link, next: first + i + 1 });
    }
    this.offer(first);
  }

  /** Makes the chain that starts at `head` available. */
  offer(head: number): void {
    this.view.setUint16(AVAIL + 4 + (this.availIndex % this.size) * 2, head, true);
    this.availIndex = (this.availIndex + 1) & 0xffff;
    this.setAvailIndex(this.availIndex);
  }

  setAvailIndex(index: number): void {
    this.view.setUint16(AVAIL + 2, index, true);
  }

  setAvailFlags(flags: number): void {
    this.view.setUint16(AVAIL, flags, true);
  }

  setUsedEvent(index: number): void {
    this.view.setUint16(AVAIL + 4 + this.size * 2, index, true);
  }

  get usedFlags(): number {
    return this.view.getUint16(USED, true);
  }

  get usedIndex(): number {
    return this.view.getUint16(USED + 2, true);
  }

  get availEvent(): number {
    return this.view.getUint16(USED + 4 + this.size * 8, true);
  }

  /** Element `index` of the used ring: head and written bytes. */
  used(index: number): readonly [head: number, written: number] {
    const at = USED + 4 + (index % this.size) * 8;
    return [this.view.getUint32(at, true), this.view.getUint32(at + 4, true)];
  }
}
