/**
 * Grant table, version 1: the pages that the guest lends to our back ends. Its frames are overlay pages.
 *
 * [GRANT] xen.git xen/include/public/grant_table.h
 *
 * The guest changes an entry at any time, so flags and domid are read and marked in one compare-exchange; the frame is
 * read once, at the first pin, and kept until the last unpin (a guest that changes it meanwhile hurts nobody).
 */
import type { SharedArena } from "../shared/arena.js";
import { PAGE_SIZE } from "../shared/brand.js";
import type { Gfn } from "../shared/brand.js";
import { Lock } from "../shared/lock.js";
import type { GuestMemory } from "../shared/memory.js";
import { Gtf, RESERVED_CONSOLE, RESERVED_XENSTORE } from "./abi/grant-table.js";
import { DOMID_BACKEND } from "./abi/xen.js";
import { FIRST_GRANT_PAGE, GRANTS_PER_FRAME } from "./domain-config.js";
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

/** Entry words: flags and domid in the first (little-endian halves), frame in the second. */
const ENTRY_WORDS = 2;
const DOMID_SHIFT = 16;
/** Tries to mark an entry that the guest keeps changing, as Xen gives it. */
const MARK_TRIES = 5;

/** Words of the table. */
const NR_FRAMES = 0;

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
}

export class GrantTable {
  readonly maxFrames: number;
  readonly #memory: GuestMemory;
  readonly #overlays: Overlays;
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #pins: Int32Array<SharedArrayBuffer>;
  /** Frame of each pinned entry. */
  readonly #frames: Int32Array<SharedArrayBuffer>;

  constructor(parts: GrantTableParts) {
    this.maxFrames = parts.maxFrames;
    this.#memory = parts.memory;
    this.#overlays = parts.overlays;
    this.#lock = new Lock(parts.arena.int32(1));
    this.#words = parts.arena.int32(1);
    this.#pins = parts.arena.int32(parts.maxFrames * GRANTS_PER_FRAME);
    this.#frames = parts.arena.int32(parts.maxFrames * GRANTS_PER_FRAME);
  }

  /** An empty table but for the reserved entries. Back ends have let go of everything before. */
  reset(reserved: ReservedGrants): void {
    // The frames' pages are zero: the overlays were reset before.
    this.#pins.fill(0);
    this.#frames.fill(0);
    Atomics.store(this.#words, NR_FRAMES, Math.min(INITIAL_FRAMES, this.maxFrames));
    if (this.maxFrames === 0) return;
    if (reserved.console !== undefined) this.#permit(RESERVED_CONSOLE, reserved.console);
    this.#permit(RESERVED_XENSTORE, reserved.xenstore);
  }

  /** Frames in use: entries beyond them do not exist. */
  get frames(): number {
    return Atomics.load(this.#words, NR_FRAMES);
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
   * granted it so. Every address is whole pages of memory, never an overlay. {@link unmap} once for each success.
   */
  map(ref: number, writable: boolean): number {
    if (!Number.isInteger(ref) || ref < 0 || ref >= this.frames * GRANTS_PER_FRAME) return REFUSED;
    this.#lock.acquire();
    try {
      const pins = this.#pins[ref] ?? 0;
      if ((pins & READERS) === READERS || pins >>> 16 >= MAX_WRITERS) return REFUSED;
      if (!this.#mark(ref, writable, pins !== 0)) return REFUSED;
      const frame = pins === 0 ? this.#entryFrame(ref) : (this.#frames[ref] ?? 0) >>> 0;
      if (pins === 0 && !this.#isMemory(frame)) {
        this.#unmark(ref, Gtf.reading | Gtf.writing);
        return REFUSED;
      }
      this.#frames[ref] = frame | 0;
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
      if (left === 0) this.#unmark(ref, Gtf.reading | Gtf.writing);
      else if (left >>> 16 === 0) this.#unmark(ref, Gtf.writing);
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
    return { frames: this.frames };
  }

  /** The entries are in the overlay pages; back ends map anew. */
  restore(state: GrantSnapshot): void {
    Atomics.store(this.#words, NR_FRAMES, state.frames);
    this.#pins.fill(0);
  }

  /** Sets the in-use bits, having checked the entry in the same breath. A pinned entry's kind was checked before. */
  #mark(ref: number, writable: boolean, pinned: boolean): boolean {
    const words = this.#entryWords(ref);
    const at = entryIndex(ref);
    const inUse = Gtf.reading | (writable ? Gtf.writing : 0);
    for (let tries = 0; tries < MARK_TRIES; tries++) {
      const old = Atomics.load(words, at);
      const domid = old >>> DOMID_SHIFT;
      if (!pinned && ((old & (Gtf.typeMask | Gtf.subPage)) !== Gtf.permitAccess || domid !== DOMID_BACKEND))
        return false;
      if (writable && (old & Gtf.readonly) !== 0) return false;
      if (Atomics.compareExchange(words, at, old, old | inUse) === old) return true;
    }
    return false;
  }

  #unmark(ref: number, bits: number): void {
    Atomics.and(this.#entryWords(ref), entryIndex(ref), ~bits);
  }

  #isMemory(frame: number): boolean {
    return (
      this.#overlays.page(frame as Gfn) === undefined && this.#memory.region(frame * PAGE_SIZE, PAGE_SIZE) !== undefined
    );
  }

  #entryFrame(ref: number): number {
    return Atomics.load(this.#entryWords(ref), entryIndex(ref) + 1) >>> 0;
  }

  #entryWords(ref: number): Int32Array<SharedArrayBuffer> {
    return this.#overlays.alias(FIRST_GRANT_PAGE + Math.floor(ref / GRANTS_PER_FRAME)).words;
  }

  #permit(ref: number, frame: Gfn): void {
    const words = this.#entryWords(ref);
    Atomics.store(words, entryIndex(ref) + 1, frame | 0);
    Atomics.store(words, entryIndex(ref), Gtf.permitAccess | (DOMID_BACKEND << DOMID_SHIFT));
  }
}

/** Word index of the entry in its frame. */
function entryIndex(ref: number): number {
  return (ref % GRANTS_PER_FRAME) * ENTRY_WORDS;
}
