/**
 * What a disk data plane asks of the storage behind it. Both a synchronous implementation (preadv) and an asynchronous
 * one (io_uring) fit: `complete` may be called inside `submit` or at any later time, in any order.
 */
import type { MemorySegments } from "../shared/memory.js";

/** Storage operations. */
export const BlockOp = { read: 0, write: 1, flush: 2, discard: 3, writeZeroes: 4 } as const;
export type BlockOpCode = (typeof BlockOp)[keyof typeof BlockOp];

/** Bytes per sector: all quantities count in these, whatever the storage uses. */
export const SECTOR_SIZE = 512;
/** Segments in one request that the storage takes at once; what is more may take it a second step. */
export const MAX_SEGMENTS = 256;

/**
 * One operation on guest memory, pooled by its owner: the storage may look at it from `submit` until it calls `complete`,
 * and not after. Reads and writes have segments, a multiple of 512 bytes in all; other operations have none. Adjacent ones
 * that touch in one region come merged.
 */
export interface BlockRequest extends MemorySegments {
  readonly op: BlockOpCode;
  /** Bytes into the disk, a multiple of 512. Range-checked against `sectors`. */
  readonly offset: number;
  /** Bytes in all: the sum of the lengths, or the range to discard, or 0 for a flush. */
  readonly length: number;
  /** 0, or the positive errno that the host gave. Exactly once. A short transfer is an error. */
  complete(error: number): void;
}

export interface BlockBackend {
  /** Size in 512-byte sectors now; it may change when the disk is resized. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** True when discards free space; when false they are not sent. */
  readonly discards: boolean;
  /**
   * Starts an operation. Reads store into the segments, writes load from them; a flush is fdatasync; what was discarded
   * reads as zeros, and so does what zeros were written to, which keeps its space. Must not throw.
   */
  submit(request: BlockRequest): void;
}
