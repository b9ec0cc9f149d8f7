/** A request of a virtio block device between the available ring and the used ring: pooled, so that steady state allocates nothing. */
import type { MemoryRegion } from "../../shared/memory.js";
import { BlockOp } from "../block-backend.js";
import type { BlockBackend, BlockOpCode, BlockRequest } from "../block-backend.js";
import {
  BlockStatus,
  BlockType,
  Header,
  ID_BYTES,
  MAX_RANGE_SECTORS,
  MAX_RANGES,
  Range,
  RANGE_UNMAP,
} from "./block-abi.js";
import { SegmentList } from "./segment-list.js";
import { DescriptorChain } from "./split-queue.js";

/** What a request is checked against. */
export interface BlockLimits {
  readonly storage: BlockBackend;
  /** What GET_ID answers: {@link ID_BYTES} bytes. */
  readonly id: Uint8Array;
  /** Each write is followed by a flush. */
  readonly writeThrough: boolean;
}

/** {@link VirtioBlockRequest.prepare}: the request is to be submitted. Other values are the status to answer with at once. */
export const READY = -1;
/** As {@link READY}: there is no place for header or status, and so no answer. */
export const MALFORMED = -2;

const SECTOR = 512;
const STATUS_BYTES = 1;
const TWO_32 = 0x1_0000_0000;

export class VirtioBlockRequest implements BlockRequest {
  readonly chain: DescriptorChain;
  op: BlockOpCode = BlockOp.read;
  offset = 0;
  length = 0;
  /** A flush follows the write that is under way. */
  flushNext = false;
  readonly #data: SegmentList;
  /** Data and status together: what the used ring tells. */
  #writable = 0;
  readonly #status = new Uint8Array(STATUS_BYTES);
  readonly #header = new Uint8Array(Header.bytes);
  readonly #headerView = new DataView(this.#header.buffer);
  readonly #range = new Uint8Array(Range.bytes);
  readonly #rangeView = new DataView(this.#range.buffer);
  readonly #completed: (request: VirtioBlockRequest, error: number) => void;

  constructor(queueSize: number, completed: (request: VirtioBlockRequest, error: number) => void) {
    this.chain = new DescriptorChain(queueSize);
    this.#data = new SegmentList(this.chain.readable.regions.length);
    this.#completed = completed;
  }

  get segmentCount(): number {
    return this.#data.segmentCount;
  }

  get regions(): readonly (MemoryRegion | undefined)[] {
    return this.#data.regions;
  }

  get offsets(): Float64Array {
    return this.#data.offsets;
  }

  get lengths(): Uint32Array {
    return this.#data.lengths;
  }

  complete(error: number): void {
    this.#completed(this, error);
  }

  /** Makes the chain that was just taken an operation. Header and range are copied once, and the copies looked at. */
  prepare(limits: BlockLimits): number {
    const { readable, writable } = this.chain;
    this.#data.clear();
    this.length = 0;
    this.flushNext = false;
    this.#writable = writable.totalBytes;
    if (readable.totalBytes < Header.bytes || this.#writable < STATUS_BYTES) return MALFORMED;
    readable.fetch(0, this.#header);
    const sector = fetch64(this.#headerView, Header.sector);
    switch (this.#headerView.getUint32(Header.type, true)) {
      case BlockType.in:
        this.op = BlockOp.read;
        this.#data.slice(writable, 0, this.#writable - STATUS_BYTES);
        return this.#aim(limits.storage, sector, this.#data.totalBytes);
      case BlockType.out:
        if (limits.storage.readOnly) return BlockStatus.ioError;
        this.op = BlockOp.write;
        this.flushNext = limits.writeThrough;
        this.#data.slice(readable, Header.bytes, readable.totalBytes - Header.bytes);
        return this.#aim(limits.storage, sector, this.#data.totalBytes);
      case BlockType.flush:
        this.op = BlockOp.flush;
        this.offset = 0;
        return READY;
      case BlockType.getId:
        // A driver that has less room gets the beginning. [VIRTIO] 5.2.6
        writable.store(0, limits.id.subarray(0, Math.min(ID_BYTES, this.#writable - STATUS_BYTES)));
        return BlockStatus.ok;
      case BlockType.discard:
        return limits.storage.discards ? this.#prepareRange(limits, BlockOp.discard) : BlockStatus.unsupported;
      case BlockType.writeZeroes:
        return this.#prepareRange(limits, BlockOp.writeZeroes);
      default:
        return BlockStatus.unsupported;
    }
  }

  /** Turns the write that has ended into the flush that follows it. */
  aimAtFlush(): void {
    this.flushNext = false;
    this.op = BlockOp.flush;
    this.length = 0;
    this.#data.clear();
  }

  /** Writes the status byte, the last that the driver let us write; how many bytes the used ring is to tell. */
  answer(status: number): number {
    this.#status[0] = status;
    this.chain.writable.store(this.#writable - STATUS_BYTES, this.#status);
    return this.#writable;
  }

  /** [VIRTIO] 5.2.6.2: a range with flags that are not known is unsupported, one past the end an error. */
  #prepareRange({ storage }: BlockLimits, op: BlockOpCode): number {
    if (storage.readOnly) return BlockStatus.ioError;
    const { readable } = this.chain;
    if (readable.totalBytes !== Header.bytes + MAX_RANGES * Range.bytes) return BlockStatus.unsupported;
    readable.fetch(Header.bytes, this.#range);
    const flags = this.#rangeView.getUint32(Range.flags, true);
    const sectors = this.#rangeView.getUint32(Range.sectors, true);
    if ((flags & ~(op === BlockOp.writeZeroes ? RANGE_UNMAP : 0)) !== 0) return BlockStatus.unsupported;
    if (sectors > MAX_RANGE_SECTORS) return BlockStatus.ioError;
    // Space may be given back for zeroes, where that is wanted of this disk at all.
    this.op = (flags & RANGE_UNMAP) !== 0 && storage.discards ? BlockOp.discard : op;
    return this.#aim(storage, fetch64(this.#rangeView, Range.sector), sectors * SECTOR);
  }

  #aim(storage: BlockBackend, sector: number, length: number): number {
    this.offset = sector * SECTOR;
    this.length = length;
    if (length % SECTOR !== 0 || sector + length / SECTOR > storage.sectors) return BlockStatus.ioError;
    return length === 0 ? BlockStatus.ok : READY;
  }
}

/** Rounded from 2^53 on, and then past the end of any disk. */
function fetch64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
}
