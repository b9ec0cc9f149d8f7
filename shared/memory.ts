/**
 * Guest-physical memory: the only holder of the buffers behind guest RAM and the pages that we lend to the guest.
 *
 * Everything that takes a guest-physical address goes through `region()`, which does the range, overflow and hole checks
 * in one place; nothing else turns an address into an offset. Other vCPUs write to these bytes at any time: copy what is
 * to be checked, check the copy, use the copy.
 */
import { PAGE_SIZE } from "./brand.js";
import type { Gfn, Gpa } from "./brand.js";

/** A run of guest-physical addresses over one shared buffer. */
export class MemoryRegion {
  /** First guest-physical address. */
  readonly gpa: Gpa;
  /** Length in bytes. */
  readonly size: number;
  readonly buffer: SharedArrayBuffer;
  /** Where the region starts in `buffer`, in bytes. */
  readonly start: number;
  /** The whole region as bytes, words and a DataView: made once, so that accesses allocate nothing. Offsets from `gpa`. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;

  /** `start` and `size` are multiples of 4. */
  constructor(at: Gpa, size: number, buffer: SharedArrayBuffer, start = 0) {
    this.gpa = at;
    this.size = size;
    this.buffer = buffer;
    this.start = start;
    this.bytes = new Uint8Array(buffer, start, size);
    this.words = new Int32Array(buffer, start, Math.floor(size / 4));
    this.view = new DataView(buffer, start, size);
  }
}

/** Pieces of guest memory in order, as a struct of arrays: what a request or a frame is made of. */
export interface MemorySegments {
  readonly segmentCount: number;
  /** The memory of segment i, defined for i below `segmentCount`. */
  readonly regions: readonly (MemoryRegion | undefined)[];
  /** Bytes into the region of segment i. */
  readonly offsets: Float64Array;
  /** Bytes of segment i. */
  readonly lengths: Uint32Array;
}

/** Where overlay pages that have no RAM behind them appear: looked up only when no fixed region holds the address. */
export interface OverlayDirectory {
  /** The region of the one page at `frame`, if an overlay is mapped there now. */
  page(frame: Gfn): MemoryRegion | undefined;
}

export class GuestMemory {
  /** Fixed regions, RAM first. */
  readonly regions: readonly MemoryRegion[];
  readonly #overlays: OverlayDirectory | undefined;

  constructor(regions: readonly MemoryRegion[], overlays?: OverlayDirectory) {
    this.regions = regions;
    this.#overlays = overlays;
  }

  /**
   * The region that holds all of `[at, at + length)`, or undefined where there is a hole. `at` may be any number, as a
   * guest gave it. Offsets into the region are `at - region.gpa`.
   */
  region(at: number, length: number): MemoryRegion | undefined {
    const { regions } = this;
    for (let i = 0; i < regions.length; i++) {
      const region = regions[i];
      if (region !== undefined && at >= region.gpa && at + length <= region.gpa + region.size) return region;
    }
    if (this.#overlays === undefined || !(at >= 0) || (at % PAGE_SIZE) + length > PAGE_SIZE) return undefined;
    return this.#overlays.page(Math.floor(at / PAGE_SIZE) as Gfn);
  }

  /** The same for a range that is to be written: a view of memory with read-only parts has less to give. */
  storable(at: number, length: number): MemoryRegion | undefined {
    return this.region(at, length);
  }

  /** Copies guest memory at `at` into `target`; false, and nothing copied, when part of it is not memory. */
  read(at: number, target: Uint8Array): boolean {
    return this.#copy(at, target, false);
  }

  /** Copies `source` to guest memory at `at`; false, and nothing copied, when part of it is not memory. */
  write(at: number, source: Uint8Array): boolean {
    return this.#copy(at, source, true);
  }

  /** Fills `length` bytes at `at` with `value`; false when part of it is not memory. */
  fill(at: number, length: number, value: number): boolean {
    const region = this.storable(at, length);
    if (region === undefined) return false;
    region.bytes.fill(value, at - region.gpa, at - region.gpa + length);
    return true;
  }

  #copy(at: number, data: Uint8Array, store: boolean): boolean {
    const whole = store ? this.storable(at, data.length) : this.region(at, data.length);
    if (whole !== undefined) {
      copyIn(whole, at, data, store);
      return true;
    }
    // Page by page: adjacent regions may hold it together. Checked in full before the first byte moves.
    if (!(at >= 0) || !Number.isSafeInteger(at + data.length)) return false;
    for (let pass = 0; pass < 2; pass++) {
      for (let done = 0; done < data.length;) {
        const length = Math.min(data.length - done, PAGE_SIZE - ((at + done) % PAGE_SIZE));
        const region = store ? this.storable(at + done, length) : this.region(at + done, length);
        if (region === undefined) return false;
        if (pass === 1) copyIn(region, at + done, data.subarray(done, done + length), store);
        done += length;
      }
    }
    return true;
  }
}

function copyIn(region: MemoryRegion, at: number, data: Uint8Array, store: boolean): void {
  const offset = at - region.gpa;
  if (store) region.bytes.set(data, offset);
  else data.set(region.bytes.subarray(offset, offset + data.length));
}
