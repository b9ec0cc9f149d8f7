/** What an IDE drive's data plane asks of the storage: one request, filled in step by step and used again. */
import type { MemoryRegion } from "../../shared/memory.js";
import { BlockOp, MAX_SEGMENTS } from "../block-backend.js";
import type { BlockOpCode, BlockRequest } from "../block-backend.js";
import type { Piece, PieceSink } from "./prd-table.js";

export class StorageRequest implements BlockRequest, PieceSink {
  op: BlockOpCode = BlockOp.read;
  offset = 0;
  length = 0;
  segmentCount = 0;
  readonly regions = new Array<MemoryRegion | undefined>(MAX_SEGMENTS).fill(undefined);
  readonly offsets = new Float64Array(MAX_SEGMENTS);
  readonly lengths = new Uint32Array(MAX_SEGMENTS);
  /** Where the last segment ends, in bytes into its region. */
  #end = 0;
  readonly #completed: (error: number) => void;

  constructor(completed: (error: number) => void) {
    this.#completed = completed;
  }

  complete(error: number): void {
    this.#completed(error);
  }

  start(op: BlockOpCode, offset: number, length = 0): void {
    this.op = op;
    this.offset = offset;
    this.length = length;
    this.segmentCount = 0;
  }

  /** False when there is no room. What follows on the piece before is made one with it. */
  addPiece(region: MemoryRegion, offset: number, length: number): boolean {
    const at = this.segmentCount;
    if (offset === this.#end && at > 0 && this.regions[at - 1] === region) {
      this.lengths[at - 1] = (this.lengths[at - 1] ?? 0) + length;
    } else {
      if (at === MAX_SEGMENTS) return false;
      this.regions[at] = region;
      this.offsets[at] = offset;
      this.lengths[at] = length;
      this.segmentCount = at + 1;
    }
    this.#end = offset + length;
    this.length += length;
    return true;
  }

  pieces(): readonly Piece[] {
    return this.regions.slice(0, this.segmentCount).flatMap((region, i) => {
      const [offset = 0, length = 0] = [this.offsets[i], this.lengths[i]];
      return region === undefined ? [] : [{ region, offset, length }];
    });
  }
}
