/** A block request between its fetch from the ring and its response: pooled, so that steady state allocates nothing. */
import type { MemoryRegion } from "../../shared/memory.js";
import { BlockOp, MAX_SEGMENTS } from "../block-backend.js";
import type { BlockOpCode, BlockRequest } from "../block-backend.js";
import type { GrantCache, GrantPlace } from "./grant-cache.js";

export class BlkifRequest implements BlockRequest {
  op: BlockOpCode = BlockOp.read;
  offset = 0;
  length = 0;
  segmentCount = 0;
  readonly regions: (MemoryRegion | undefined)[] = new Array<MemoryRegion | undefined>(MAX_SEGMENTS).fill(undefined);
  readonly offsets = new Float64Array(MAX_SEGMENTS);
  readonly lengths = new Uint32Array(MAX_SEGMENTS);

  /** Echoed in the response: the guest's opaque id in two halves, and the operation: of an indirect request, the inner one. */
  idLow = 0;
  idHigh = 0;
  operation = 0;
  /** Steps that follow the one under way: a flush before the data, a flush after it. */
  writeNext = false;
  flushNext = false;
  /** Waits for all earlier requests, and all later ones for it. */
  barrier = false;
  /** Which life of the back end it belongs to. */
  generation = 0;
  /** True from fetch to response. */
  active = false;

  /** The data, while a flush is under way. */
  #dataLength = 0;
  #dataSegments = 0;
  /** Grants held, one for each segment before merging. */
  #held = 0;
  #writable = false;
  readonly #refs = new Uint32Array(MAX_SEGMENTS);
  readonly #places: (GrantPlace | undefined)[] = new Array<GrantPlace | undefined>(MAX_SEGMENTS).fill(undefined);
  readonly #completed: (request: BlkifRequest, error: number) => void;

  constructor(completed: (request: BlkifRequest, error: number) => void) {
    this.#completed = completed;
  }

  complete(error: number): void {
    this.#completed(this, error);
  }

  /** Empties the request for the next use. */
  clear(): void {
    this.offset = 0;
    this.length = 0;
    this.segmentCount = 0;
    this.writeNext = false;
    this.flushNext = false;
    this.barrier = false;
    this.#dataLength = 0;
    this.#dataSegments = 0;
    this.#held = 0;
  }

  /** Appends the `length` bytes at `from` in the page of `ref`; false when the page cannot be had. Reads store into it. */
  addSegment(cache: GrantCache, ref: number, from: number, length: number): boolean {
    this.#writable = this.op === BlockOp.read;
    if (!cache.acquire(ref, this.#writable)) return false;
    this.#refs[this.#held] = ref;
    this.#places[this.#held] = cache.place;
    this.#held++;
    const at = cache.offset + from;
    const last = this.segmentCount - 1;
    const lastLength = this.lengths[last] ?? 0;
    if (last >= 0 && this.regions[last] === cache.region && this.offsets[last] === at - lastLength) {
      this.lengths[last] = lastLength + length;
    } else {
      this.regions[this.segmentCount] = cache.region;
      this.offsets[this.segmentCount] = at;
      this.lengths[this.segmentCount] = length;
      this.segmentCount++;
    }
    this.length += length;
    return true;
  }

  /** Gives all grants back; also after a partial failure. */
  releaseGrants(cache: GrantCache): void {
    for (let i = 0; i < this.#held; i++) cache.release(this.#refs[i] ?? 0, this.#writable, this.#places[i]);
    this.#held = 0;
  }

  /** Sets the data aside and makes this a flush. */
  aimAtFlush(): void {
    this.#dataLength = this.length;
    this.#dataSegments = this.segmentCount;
    this.op = BlockOp.flush;
    this.length = 0;
    this.segmentCount = 0;
  }

  /** Makes this a write of the data that was set aside. */
  aimAtWrite(): void {
    this.op = BlockOp.write;
    this.length = this.#dataLength;
    this.segmentCount = this.#dataSegments;
  }
}
