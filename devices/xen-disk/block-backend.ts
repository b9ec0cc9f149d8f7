/**
 * What a disk data plane asks of the storage behind it. Both a synchronous implementation (preadv) and an asynchronous
 * one (io_uring) fit: `complete` may be called inside `submit` or at any later time, in any order.
 */
import type { MemoryRegion } from "../../shared/memory.js";

/** Storage operations. */
export const BlockOp = { read: 0, write: 1, flush: 2, discard: 3 } as const;
export type BlockOpCode = (typeof BlockOp)[keyof typeof BlockOp];

/** Bytes per sector: all PV disk quantities count in these, whatever the storage uses. */
export const SECTOR_SIZE = 512;
/** Most segments in one request. */
export const MAX_SEGMENTS = 256;

/**
 * One operation on guest memory, pooled by its owner: the storage may look at it from `submit` until it calls `complete`,
 * and not after. Segments are a struct of arrays; adjacent ones that touch in one region come merged.
 */
export interface BlockRequest {
  readonly op: BlockOpCode;
  /** Bytes into the disk, a multiple of 512. Range-checked against `sectors`. */
  readonly offset: number;
  /** Bytes in all: the sum of the lengths, or the range to discard, or 0 for a flush. */
  readonly length: number;
  /** 1..256 for reads and writes, else 0. */
  readonly segmentCount: number;
  /** The memory of segment i, defined for i below `segmentCount`. */
  readonly regions: readonly (MemoryRegion | undefined)[];
  /** Bytes into the region of segment i. */
  readonly offsets: Float64Array;
  /** Bytes of segment i, a multiple of 512. */
  readonly lengths: Uint32Array;
  /** 0, or the positive errno that the host gave. Exactly once. A short transfer is an error. */
  complete(error: number): void;
}

export interface BlockBackend {
  /** Size in 512-byte sectors now; it may change when the disk is resized. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** True when discards free space; when false they are not sent. */
  readonly discards: boolean;
  /** Starts an operation. Reads store into the segments, writes load from them; a flush is fdatasync. Must not throw. */
  submit(request: BlockRequest): void;
}
