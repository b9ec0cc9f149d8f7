/**
 * Pieces of guest memory in the order in which a driver lists them: the readable or the writable part of a chain. Made
 * once and filled again for each chain, so that steady state allocates nothing.
 */
import type { GuestMemory, MemoryRegion, MemorySegments } from "../../shared/memory.js";

const MAX_SEGMENT_BYTES = 0xffff_ffff;

export class SegmentList implements MemorySegments {
  segmentCount = 0;
  readonly regions: (MemoryRegion | undefined)[];
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  /** Of all segments together. */
  totalBytes = 0;

  constructor(capacity: number) {
    this.regions = new Array<MemoryRegion | undefined>(capacity).fill(undefined);
    this.offsets = new Float64Array(capacity);
    this.lengths = new Uint32Array(capacity);
  }

  clear(): void {
    this.segmentCount = 0;
    this.totalBytes = 0;
  }

  /**
   * Appends `length` bytes at guest-physical `address`, which may lie in adjacent regions; false when part of it is not
   * memory, or there are too many pieces.
   */
  add(memory: GuestMemory, address: number, length: number): boolean {
    for (let done = 0; done < length;) {
      const region = memory.region(address + done, 1);
      if (region === undefined) return false;
      const offset = address + done - region.gpa;
      const part = Math.min(length - done, region.size - offset);
      if (!this.#append(region, offset, part)) return false;
      done += part;
    }
    return true;
  }

  /** Appends all of `other`; false when there are too many pieces. */
  addAll(other: SegmentList): boolean {
    for (let i = 0; i < other.segmentCount; i++) {
      const region = other.regions[i];
      if (region === undefined || !this.#append(region, other.offsets[i] ?? 0, other.lengths[i] ?? 0)) return false;
    }
    return true;
  }

  /** Makes this the `length` bytes from `skip` on of `other`, which has them. */
  slice(other: SegmentList, skip: number, length: number): void {
    this.clear();
    for (let i = 0; i < other.segmentCount && length > 0; i++) {
      const size = other.lengths[i] ?? 0;
      const region = other.regions[i];
      if (skip >= size || region === undefined) {
        skip -= size;
        continue;
      }
      const part = Math.min(size - skip, length);
      this.#append(region, (other.offsets[i] ?? 0) + skip, part);
      length -= part;
      skip = 0;
    }
  }

  /** Copies guest memory from byte `skip` on into `target`; how many bytes there were. */
  fetch(skip: number, target: Uint8Array): number {
    return this.#copy(skip, target, false);
  }

  /** Copies `source` to guest memory from byte `skip` on; how many bytes there was room for. */
  store(skip: number, source: Uint8Array): number {
    return this.#copy(skip, source, true);
  }

  #append(region: MemoryRegion, offset: number, length: number): boolean {
    const last = this.segmentCount - 1;
    const lastLength = this.lengths[last] ?? 0;
    this.totalBytes += length;
    if (
      last >= 0 &&
      this.regions[last] === region &&
      this.offsets[last] === offset - lastLength &&
      lastLength + length <= MAX_SEGMENT_BYTES
    ) {
      this.lengths[last] = lastLength + length;
      return true;
    }
    if (this.segmentCount === this.regions.length) return false;
    this.regions[this.segmentCount] = region;
    this.offsets[this.segmentCount] = offset;
    this.lengths[this.segmentCount] = length;
    this.segmentCount++;
    return true;
  }

  #copy(skip: number, data: Uint8Array, store: boolean): number {
    let done = 0;
    for (let i = 0; i < this.segmentCount && done < data.length; i++) {
      const size = this.lengths[i] ?? 0;
      const region = this.regions[i];
      if (skip >= size || region === undefined) {
        skip -= size;
        continue;
      }
      const part = Math.min(size - skip, data.length - done);
      const at = (this.offsets[i] ?? 0) + skip;
      if (store) region.bytes.set(data.subarray(done, done + part), at);
      else data.set(region.bytes.subarray(at, at + part), done);
      done += part;
      skip = 0;
    }
    return done;
  }
}
