/**
 * Grant table: the pages that the guest lends to our back ends. Its frames are overlay pages.
 *
 * [GRANT] xen.git xen/include/public/grant_table.h
 *
 * The guest changes an entry at any time (grant-entries.ts); the frame is read once, at the first pin, and kept until the
 * last unpin (a guest that changes it meanwhile hurts nobody).
 */
import type { SharedArena } from "../shared/arena.js";
import { PAGE_SIZE } from "../shared/brand.js";
import type { Gfn } from "../shared/brand.js";
import { Lock } from "../shared/lock.js";
import type { GuestMemory } from "../shared/memory.js";
import { Gntst, Gtf, RESERVED_CONSOLE, RESERVED_ENTRIES, RESERVED_XENSTORE } from "./abi/grant-table.js";
import { DOMID_BACKEND } from "./abi/xen.js";
import { FIRST_GRANT_PAGE, GRANTS_PER_FRAME, statusFrames } from "./domain-config.js";
import { GrantEntriesV1, GrantEntriesV2 } from "./grant-entries.js";
import type { GrantedBytes, GrantEntries } from "./grant-entries.js";
import type { Overlays } from "./overlays.js";

export interface GrantTableParts {
  readonly arena: SharedArena;
  readonly memory: GuestMemory;
  readonly overlays: Overlays;
  readonly maxFrames: number;
}

/** Frames of the pages that the domain builder grants by entries 0 and 1; undefined when there is none. */
export interface ReservedGrants {
  readonly console: Gfn | undefined;
  readonly xenstore: Gfn;
}

/** Words of the table. */
const NR_FRAMES = 0;
const VERSION = 1;

/** Pins of one entry: readers in the low half of a word, writers in the high one. */
const READER = 1;
const WRITER = 0x1_0000;
const READERS = 0xffff;
const MAX_WRITERS = 0x7fff;

const REFUSED = -1;

/** Frames that exist from the start, as in Xen: the one with the reserved entries. */
const INITIAL_FRAMES = 1;

export interface GrantSnapshot {
  readonly frames: number;
  readonly version: number;
}

export type GrantVersion = 1 | 2;

export class GrantTable {
  readonly maxFrames: number;
  readonly #memory: GuestMemory;
  readonly #overlays: Overlays;
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #firstStatusPage: number;
  readonly #v1: GrantEntriesV1;
  readonly #v2: GrantEntriesV2;
  readonly #pins: Int32Array<SharedArrayBuffer>;
  /** Frame of each pinned entry. */
  readonly #frames: Float64Array<SharedArrayBuffer>;

  constructor(parts: GrantTableParts) {
    this.maxFrames = parts.maxFrames;
    this.#memory = parts.memory;
    this.#overlays = parts.overlays;
    this.#lock = new Lock(parts.arena.int32(1));
    this.#words = parts.arena.int32(2);
    this.#firstStatusPage = FIRST_GRANT_PAGE + parts.maxFrames;
    this.#v1 = new GrantEntriesV1(parts.overlays);
    this.#v2 = new GrantEntriesV2(parts.overlays, this.#firstStatusPage);
    this.#pins = parts.arena.int32(parts.maxFrames * GRANTS_PER_FRAME);
    this.#frames = parts.arena.float64(parts.maxFrames * GRANTS_PER_FRAME);
  }

  /** An empty table but for the reserved entries. Back ends have let go of everything before. */
  reset(reserved: ReservedGrants): void {
    // The frames' pages are zero: the overlays were reset before.
    this.#pins.fill(0);
    this.#frames.fill(0);
    Atomics.store(this.#words, NR_FRAMES, Math.min(INITIAL_FRAMES, this.maxFrames));
    Atomics.store(this.#words, VERSION, 1);
    if (this.maxFrames === 0) return;
    if (reserved.console !== undefined) this.#v1.permit(RESERVED_CONSOLE, reserved.console, DOMID_BACKEND);
    this.#v1.permit(RESERVED_XENSTORE, reserved.xenstore, DOMID_BACKEND);
  }

  /** Frames in use: entries beyond them do not exist. */
  get frames(): number {
    return Atomics.load(this.#words, NR_FRAMES);
  }

  get version(): GrantVersion {
    return Atomics.load(this.#words, VERSION) === 2 ? 2 : 1;
  }

  /** Entries that exist now. */
  get entries(): number {
    return this.frames * this.#layout.perFrame;
  }

  /** Frames of statuses in use; none in version 1. */
  get statusFrames(): number {
    return this.version === 2 ? statusFrames(this.frames) : 0;
  }

  /** Overlay page of the status frame `index`. */
  statusPage(index: number): number {
    return this.#firstStatusPage + index;
  }

  get #layout(): GrantEntries {
    return this.version === 2 ? this.#v2 : this.#v1;
  }

  /**
   * GNTTABOP_set_version: every entry but the reserved ones is forgotten. False, and nothing done, while any of those is
   * mapped.
   */
  setVersion(version: GrantVersion): boolean {
    this.#lock.acquire();
    try {
      if (version === this.version) return true;
      for (let ref = RESERVED_ENTRIES; ref < this.entries; ref++) if (this.pins(ref) !== 0) return false;
      const reserved = Array.from({ length: RESERVED_ENTRIES }, (_, ref) => this.#layout.frame(ref));
      const granted = reserved.map((_, ref) => this.#layout.granted(ref, DOMID_BACKEND));
      for (let page = 0; page < this.frames; page++) this.#overlays.alias(FIRST_GRANT_PAGE + page).bytes.fill(0);
      for (let page = 0; page < statusFrames(this.maxFrames); page++) {
        this.#overlays.alias(this.statusPage(page)).bytes.fill(0);
        // The guest has no use for them in version 1, and could not be told of later ones (XSA-255).
        if (version === 1) this.#overlays.unmap(this.statusPage(page));
      }
      Atomics.store(this.#words, VERSION, version);
      for (const [ref, frame] of reserved.entries()) {
        if (granted[ref] === true) this.#layout.permit(ref, frame, DOMID_BACKEND);
      }
      return true;
    } finally {
      this.#lock.release();
    }
  }

  /** Grows the table to `frames`; false when that is more than it may have. */
  growTo(frames: number): boolean {
    if (frames > this.maxFrames) return false;
    for (let now = this.frames; now < frames; now = this.frames) {
      if (Atomics.compareExchange(this.#words, NR_FRAMES, now, frames) === now) break;
    }
    return true;
  }

  /**
   * Back end: pins the page that `ref` grants and answers its guest-physical address, or -1 when the guest has not
   * granted it so. Every address is whole pages of memory, never one of ours. {@link unmap} once for each success.
   */
  map(ref: number, writable: boolean): number {
    if (!Number.isInteger(ref) || ref < 0 || ref >= this.entries) return REFUSED;
    this.#lock.acquire();
    try {
      const pins = this.#pins[ref] ?? 0;
      if ((pins & READERS) === READERS || pins >>> 16 >= MAX_WRITERS) return REFUSED;
      const entries = this.#layout;
      if (!entries.mark(ref, { domid: DOMID_BACKEND, writable, pinned: pins !== 0, partial: false })) return REFUSED;
      const frame = pins === 0 ? entries.frame(ref) : (this.#frames[ref] ?? 0);
      if (pins === 0 && !this.#isMemory(frame)) {
        entries.unmark(ref, Gtf.reading | Gtf.writing);
        return REFUSED;
      }
      this.#frames[ref] = frame;
      this.#pins[ref] = pins + (writable ? WRITER : READER);
      return frame * PAGE_SIZE;
    } finally {
      this.#lock.release();
    }
  }

  /**
   * Back end: undoes one {@link map} with the same arguments. The last one clears the in-use bits. Nothing happens when
   * nothing is mapped: the table was reset under a back end that was still at work.
   */
  unmap(ref: number, writable: boolean): void {
    this.#lock.acquire();
    try {
      const pins = this.#pins[ref] ?? 0;
      const held = writable ? pins >>> 16 : pins & READERS;
      if (held === 0) return;
      const left = pins - (writable ? WRITER : READER);
      this.#pins[ref] = left;
      if (left === 0) this.#layout.unmark(ref, Gtf.reading | Gtf.writing);
      else if (left >>> 16 === 0) this.#layout.unmark(ref, Gtf.writing);
    } finally {
      this.#lock.release();
    }
  }

  /**
   * GNTTABOP_copy's look at one of the domain's own grants to itself: the bytes that it grants, checked to be memory; a
   * negative GNTST otherwise.
   */
  ownBytes(ref: number, domid: number, writable: boolean): GrantedBytes | number {
    if (ref >= this.entries) return Gntst.badGntref;
    this.#lock.acquire();
    try {
      const entries = this.#layout;
      if (!entries.mark(ref, { domid, writable, pinned: false, partial: true })) return Gntst.generalError;
      const bytes = entries.bytes(ref, PAGE_SIZE);
      // The copy is done at once: the marks of other users stay, ours are not seen.
      const pins = this.#pins[ref] ?? 0;
      entries.unmark(ref, (pins === 0 ? Gtf.reading : 0) | (pins >>> 16 === 0 ? Gtf.writing : 0));
      return this.#isMemory(bytes.frame) ? bytes : Gntst.generalError;
    } finally {
      this.#lock.release();
    }
  }

  /** GNTTABOP_swap_grant_ref: a GNTST. */
  swap(a: number, b: number): number {
    if (a >= this.entries || b >= this.entries) return Gntst.badGntref;
    this.#lock.acquire();
    try {
      if (this.pins(a) !== 0 || this.pins(b) !== 0) return Gntst.eagain;
      this.#layout.swap(a, b);
      return Gntst.okay;
    } finally {
      this.#lock.release();
    }
  }

  /** How often `ref` is mapped. */
  pins(ref: number): number {
    const pins = this.#pins[ref] ?? 0;
    return (pins & READERS) + (pins >>> 16);
  }

  save(): GrantSnapshot {
    return { frames: this.frames, version: this.version };
  }

  /** The entries are in the overlay pages; back ends map anew. */
  restore(state: GrantSnapshot): void {
    Atomics.store(this.#words, NR_FRAMES, state.frames);
    Atomics.store(this.#words, VERSION, state.version);
    this.#pins.fill(0);
  }

  #isMemory(frame: number): boolean {
    if (this.#memory.region(frame * PAGE_SIZE, PAGE_SIZE) === undefined) return false;
    const isOverlay = this.#overlays.page(frame as Gfn) !== undefined;
    return !isOverlay || this.#overlays.pageAt(frame) >= this.#overlays.firstMoved;
  }
}
