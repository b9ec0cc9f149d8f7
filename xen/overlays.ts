/**
 * Overlay pages: pages of ours (shared_info, grant table frames, moved RAM) that appear at guest frames of the guest's
 * choice, over RAM or not. Each keeps a permanent alias, through which we read and write it wherever the guest has put it.
 *
 * The table page -> frame lies in shared memory under a lock; readers see a generation that changes with every move.
 */
import type { SharedArena } from "../shared/arena.js";
import { PAGE_SIZE, gpaToGfn } from "../shared/brand.js";
import type { Gfn, Gpa } from "../shared/brand.js";
import { KVM_IDENTITY_MAP, LAPIC_BASE } from "../shared/layout.js";
import { Lock } from "../shared/lock.js";
import { MemoryRegion } from "../shared/memory.js";
import type { OverlayDirectory } from "../shared/memory.js";
import { MOVED_PAGES } from "./domain-config.js";
import type { XenHost } from "./host.js";

export interface OverlayParts {
  readonly arena: SharedArena;
  /** Holds the pages, from byte `start`. */
  readonly buffer: SharedArrayBuffer;
  readonly start: number;
  readonly pages: number;
}

/** The part of {@link XenHost} that shows pages to the guest. */
export type OverlayHost = Pick<XenHost, "mapOverlay" | "unmapOverlay">;

export interface OverlaySnapshot {
  /** Frame of each page, -1 when unmapped. */
  readonly frames: readonly number[];
  /** Of each page; empty for one of moved RAM's that is not in use. */
  readonly contents: readonly Uint8Array[];
}

const UNMAPPED = -1;
/** Frames are kept in 32 bits, the last value being {@link UNMAPPED}: 16 TiB. */
const MAX_FRAME = 0xffff_fffe;

export class Overlays implements OverlayDirectory {
  readonly pages: number;
  /** From this one on they are RAM of the guest's that lies where the machine has none. */
  readonly firstMoved: number;
  readonly #lock: Lock;
  readonly #generation: Int32Array<SharedArrayBuffer>;
  readonly #frames: Int32Array<SharedArrayBuffer>;
  readonly #buffer: SharedArrayBuffer;
  readonly #start: number;
  /** Made when asked for: most of the pages are never used. */
  readonly #aliases: (MemoryRegion | undefined)[];
  #host: OverlayHost | undefined;
  /** This thread's view of the table, rebuilt when the generation moves on. */
  readonly #byFrame = new Map<number, MemoryRegion>();
  #seen = 0;

  constructor(parts: OverlayParts) {
    this.pages = parts.pages;
    this.firstMoved = parts.pages - MOVED_PAGES;
    this.#lock = new Lock(parts.arena.int32(1));
    this.#generation = parts.arena.int32(1);
    this.#frames = parts.arena.int32(parts.pages);
    this.#buffer = parts.buffer;
    this.#start = parts.start;
    this.#aliases = new Array<MemoryRegion | undefined>(parts.pages).fill(undefined);
  }

  /** Gives the pages the way to the guest. */
  connect(host: OverlayHost): void {
    this.#host = host;
  }

  /** The page itself, wherever it is mapped: offsets count from its start. */
  alias(page: number): MemoryRegion {
    const known = this.#aliases[page];
    if (known !== undefined) return known;
    if (!(page >= 0 && page < this.pages)) {
      throw new RangeError(`Cannot use overlay page ${page}: there are ${this.pages}`);
    }
    const alias = this.#region(page, 0);
    this.#aliases[page] = alias;
    return alias;
  }

  page(frame: Gfn): MemoryRegion | undefined {
    const generation = Atomics.load(this.#generation, 0);
    if (generation !== this.#seen) this.#refresh(generation);
    return this.#byFrame.size === 0 ? undefined : this.#byFrame.get(frame);
  }

  /** Where `page` appears, or -1 when nowhere. */
  frameOf(page: number): number {
    const frame = Atomics.load(this.#frames, page);
    return frame === UNMAPPED ? UNMAPPED : frame >>> 0;
  }

  /** Number of the page that appears at `frame`, -1 when none does. */
  pageAt(frame: number): number {
    for (let page = 0; page < this.pages; page++) {
      if (this.frameOf(page) === frame) return page;
    }
    return UNMAPPED;
  }

  /**
   * Makes `page` appear at `frame` and nowhere else; a page that was there goes away. False when the frame cannot
   * be covered.
   */
  map(page: number, frame: number): boolean {
    if (!canBeCovered(frame)) return false;
    this.#lock.acquire();
    try {
      return this.frameOf(page) === frame || this.#show(page, frame);
    } finally {
      Atomics.add(this.#generation, 0, 1);
      this.#lock.release();
    }
  }

  /** Makes a page for moved RAM that appears nowhere yet appear at `frame`, with `contents` or zeros. False as above. */
  mapMoved(frame: number, contents: Uint8Array | undefined): boolean {
    if (!canBeCovered(frame)) return false;
    this.#lock.acquire();
    try {
      let page = this.firstMoved;
      while (page < this.pages && this.frameOf(page) !== UNMAPPED) page++;
      if (page === this.pages) return false;
      const { bytes } = this.alias(page);
      if (contents === undefined) bytes.fill(0);
      else bytes.set(contents);
      return this.#show(page, frame);
    } finally {
      Atomics.add(this.#generation, 0, 1);
      this.#lock.release();
    }
  }

  /** Takes `page` away from the guest; what was behind it shows again. */
  unmap(page: number): void {
    this.#lock.acquire();
    try {
      this.#remove(page);
    } finally {
      Atomics.add(this.#generation, 0, 1);
      this.#lock.release();
    }
  }

  /** Takes the page at `frame` away; -1 when there was none, else its number. */
  unmapFrame(frame: number): number {
    this.#lock.acquire();
    try {
      const page = this.pageAt(frame);
      if (page !== UNMAPPED) this.#remove(page);
      return page;
    } finally {
      Atomics.add(this.#generation, 0, 1);
      this.#lock.release();
    }
  }

  /** No page of ours is mapped and all are zero. Moved RAM stays. */
  reset(): void {
    // The table starts as zeros, which is a frame: only after the first reset does it mean anything. The pages are zero.
    if (Atomics.load(this.#generation, 0) === 0) this.#frames.fill(UNMAPPED);
    else {
      for (let page = 0; page < this.firstMoved; page++) {
        this.unmap(page);
        this.alias(page).bytes.fill(0);
      }
    }
    Atomics.add(this.#generation, 0, 1);
  }

  save(): OverlaySnapshot {
    const frames = Array.from({ length: this.pages }, (_, page) => this.frameOf(page));
    return { frames, contents: frames.map((frame, page) => this.#contents(page, frame)) };
  }

  /** Call on a domain just reset. */
  restore(state: OverlaySnapshot): void {
    for (const [page, contents] of state.contents.entries()) this.alias(page).bytes.set(contents);
    for (const [page, frame] of state.frames.entries()) {
      if (frame !== UNMAPPED && !this.map(page, frame)) {
        throw new Error(
          `Cannot restore overlay page ${page}: the host does not map it at frame 0x${frame.toString(16)}`,
        );
      }
    }
  }

  /** Under the lock. A page that is at `frame` goes away. */
  #show(page: number, frame: number): boolean {
    const evicted = this.pageAt(frame);
    if (evicted !== UNMAPPED) this.#remove(evicted);
    this.#remove(page);
    if (this.#host?.mapOverlay(page, frame as Gfn) !== true) return false;
    Atomics.store(this.#frames, page, frame | 0);
    return true;
  }

  #remove(page: number): void {
    const frame = this.frameOf(page);
    if (frame === UNMAPPED) return;
    Atomics.store(this.#frames, page, UNMAPPED);
    this.#host?.unmapOverlay(page, frame as Gfn);
  }

  #contents(page: number, frame: number): Uint8Array {
    return page >= this.firstMoved && frame === UNMAPPED ? new Uint8Array(0) : this.alias(page).bytes.slice();
  }

  #refresh(generation: number): void {
    const known = new Map(this.#byFrame);
    this.#byFrame.clear();
    for (let page = 0; page < this.pages; page++) {
      const frame = this.frameOf(page);
      if (frame === UNMAPPED) continue;
      const region = known.get(frame);
      const start = this.#start + page * PAGE_SIZE;
      this.#byFrame.set(frame, region?.start === start ? region : this.#region(page, frame));
    }
    this.#seen = generation;
  }

  #region(page: number, frame: number): MemoryRegion {
    return new MemoryRegion((frame * PAGE_SIZE) as Gpa, PAGE_SIZE, this.#buffer, this.#start + page * PAGE_SIZE);
  }
}

/** Whether a page may appear at `frame`, which is any number that a guest gave. */
function canBeCovered(frame: number): boolean {
  return Number.isInteger(frame) && frame >= 0 && frame <= MAX_FRAME && !isHostFrame(frame);
}

/** Frames that KVM keeps for itself: the LAPIC's, and what Intel hosts need for real mode (four pages). */
function isHostFrame(frame: number): boolean {
  const own = gpaToGfn(KVM_IDENTITY_MAP);
  return frame === gpaToGfn(LAPIC_BASE) || (frame >= own && frame < own + 4);
}
