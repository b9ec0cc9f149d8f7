/**
 * Grant entries in guest-shared frames, by version: what a back end reads of them and the marks that it leaves.
 *
 * [GRANT] xen.git xen/include/public/grant_table.h (grant_entry_v1, grant_entry_v2, grant_status)
 *
 * The guest changes an entry at any time. Version 1 has flags and marks in one word, read and marked in one
 * compare-exchange. Version 2 keeps the marks in frames of their own: the mark is made first, and withdrawn when the
 * entry has changed meanwhile.
 */
import { Gtf } from "./abi/grant-table.js";
import { FIRST_GRANT_PAGE, GRANTS_PER_FRAME, GRANTS_PER_FRAME_V2, STATUSES_PER_FRAME } from "./domain-config.js";
import type { Overlays } from "./overlays.js";

/** Tries to mark an entry that the guest keeps changing, as Xen gives it. */
const MARK_TRIES = 5;
const DOMID_SHIFT = 16;
const TWO_32 = 0x1_0000_0000;
/** Kind of an entry, domid, and whether it may be written to: what a mark is granted for. */
const DECISIVE = (0xffff << DOMID_SHIFT) | Gtf.typeMask | Gtf.readonly | Gtf.subPage;

/** What a copy finds in an entry. */
export interface GrantedBytes {
  /** Frame number; up to 2^53 in version 2. */
  readonly frame: number;
  /** The part of the frame that is granted. */
  readonly offset: number;
  readonly length: number;
}

export interface GrantEntries {
  readonly perFrame: number;
  /** Sets the in-use bits of `ref` if it is granted to `domid` so; a pinned entry's kind was checked before. */
  mark(ref: number, access: MarkedAccess): boolean;
  unmark(ref: number, bits: number): void;
  frame(ref: number): number;
  /** Which bytes an entry that is marked grants. */
  bytes(ref: number, pageSize: number): GrantedBytes;
  /** Whether `ref` grants a whole page to `domid`. */
  granted(ref: number, domid: number): boolean;
  /** Fills an entry for a whole page. */
  permit(ref: number, frame: number, domid: number): void;
  /** Exchanges two entries that nobody uses. */
  swap(a: number, b: number): void;
}

export interface MarkedAccess {
  readonly domid: number;
  readonly writable: boolean;
  /** The entry is mapped already. */
  readonly pinned: boolean;
  /** Part of a page will do. */
  readonly partial: boolean;
}

/** Whether flags and domid in `header` allow the access. */
function allows(header: number, { domid, writable, pinned, partial }: MarkedAccess): boolean {
  if (writable && (header & Gtf.readonly) !== 0) return false;
  if (pinned) return true;
  const kind = header & (Gtf.typeMask | (partial ? 0 : Gtf.subPage));
  return kind === Gtf.permitAccess && header >>> DOMID_SHIFT === domid;
}

function inUse(access: MarkedAccess): number {
  return Gtf.reading | (access.writable ? Gtf.writing : 0);
}

/** Exchanges `count` words; the first of each, with the flags, goes last. */
function swapEntries(a: EntryWords, b: EntryWords, count: number): void {
  for (let word = count - 1; word >= 0; word--) {
    const old = Atomics.load(a.words, a.at + word);
    Atomics.store(a.words, a.at + word, Atomics.load(b.words, b.at + word));
    Atomics.store(b.words, b.at + word, old);
  }
}

interface EntryWords {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly at: number;
}

export class GrantEntriesV1 implements GrantEntries {
  readonly perFrame = GRANTS_PER_FRAME;
  readonly #overlays: Overlays;

  constructor(overlays: Overlays) {
    this.#overlays = overlays;
  }

  mark(ref: number, access: MarkedAccess): boolean {
    const words = this.#words(ref);
    const at = this.#index(ref);
    // Version 1 knows no parts of pages.
    const whole = access.partial ? { ...access, partial: false } : access;
    for (let tries = 0; tries < MARK_TRIES; tries++) {
      const old = Atomics.load(words, at);
      if (!allows(old, whole)) return false;
      if (Atomics.compareExchange(words, at, old, old | inUse(access)) === old) return true;
    }
    return false;
  }

  unmark(ref: number, bits: number): void {
    Atomics.and(this.#words(ref), this.#index(ref), ~bits);
  }

  frame(ref: number): number {
    return Atomics.load(this.#words(ref), this.#index(ref) + 1) >>> 0;
  }

  bytes(ref: number, pageSize: number): GrantedBytes {
    return { frame: this.frame(ref), offset: 0, length: pageSize };
  }

  granted(ref: number, domid: number): boolean {
    const header = Atomics.load(this.#words(ref), this.#index(ref));
    return allows(header, { domid, writable: false, pinned: false, partial: false });
  }

  swap(a: number, b: number): void {
    swapEntries({ words: this.#words(a), at: this.#index(a) }, { words: this.#words(b), at: this.#index(b) }, 2);
  }

  permit(ref: number, frame: number, domid: number): void {
    const words = this.#words(ref);
    Atomics.store(words, this.#index(ref) + 1, frame | 0);
    Atomics.store(words, this.#index(ref), Gtf.permitAccess | (domid << DOMID_SHIFT));
  }

  #words(ref: number): Int32Array<SharedArrayBuffer> {
    return this.#overlays.alias(FIRST_GRANT_PAGE + Math.floor(ref / this.perFrame)).words;
  }

  /** Flags and domid are in the first word (little-endian halves), the frame in the second. */
  #index(ref: number): number {
    return (ref % this.perFrame) * 2;
  }
}

export class GrantEntriesV2 implements GrantEntries {
  readonly perFrame = GRANTS_PER_FRAME_V2;
  readonly #overlays: Overlays;
  readonly #firstStatusPage: number;

  constructor(overlays: Overlays, firstStatusPage: number) {
    this.#overlays = overlays;
    this.#firstStatusPage = firstStatusPage;
  }

  mark(ref: number, access: MarkedAccess): boolean {
    const words = this.#words(ref);
    const at = this.#index(ref);
    const header = Atomics.load(words, at);
    if (!allows(header, access)) return false;
    const marks = inUse(access) << this.#shift(ref);
    const old = Atomics.or(this.#statuses(ref), this.#statusIndex(ref), marks);
    if (((Atomics.load(words, at) ^ header) & DECISIVE) === 0) return true;
    // Those that were there before are other users'.
    Atomics.and(this.#statuses(ref), this.#statusIndex(ref), ~(marks & ~old));
    return false;
  }

  unmark(ref: number, bits: number): void {
    Atomics.and(this.#statuses(ref), this.#statusIndex(ref), ~(bits << this.#shift(ref)));
  }

  frame(ref: number): number {
    const words = this.#words(ref);
    const at = this.#index(ref);
    return (Atomics.load(words, at + 3) >>> 0) * TWO_32 + (Atomics.load(words, at + 2) >>> 0);
  }

  bytes(ref: number, pageSize: number): GrantedBytes {
    const words = this.#words(ref);
    const at = this.#index(ref);
    if ((Atomics.load(words, at) & Gtf.subPage) === 0) return { frame: this.frame(ref), offset: 0, length: pageSize };
    const part = Atomics.load(words, at + 1);
    return { frame: this.frame(ref), offset: part & 0xffff, length: part >>> 16 };
  }

  granted(ref: number, domid: number): boolean {
    const header = Atomics.load(this.#words(ref), this.#index(ref));
    return allows(header, { domid, writable: false, pinned: false, partial: false });
  }

  swap(a: number, b: number): void {
    swapEntries({ words: this.#words(a), at: this.#index(a) }, { words: this.#words(b), at: this.#index(b) }, 4);
  }

  permit(ref: number, frame: number, domid: number): void {
    const words = this.#words(ref);
    const at = this.#index(ref);
    Atomics.store(words, at + 1, 0);
    Atomics.store(words, at + 2, (frame % TWO_32) | 0);
    Atomics.store(words, at + 3, Math.floor(frame / TWO_32));
    Atomics.store(words, at, Gtf.permitAccess | (domid << DOMID_SHIFT));
  }

  #words(ref: number): Int32Array<SharedArrayBuffer> {
    return this.#overlays.alias(FIRST_GRANT_PAGE + Math.floor(ref / this.perFrame)).words;
  }

  /** Header, part of the page, and the frame in two words. */
  #index(ref: number): number {
    return (ref % this.perFrame) * 4;
  }

  #statuses(ref: number): Int32Array<SharedArrayBuffer> {
    return this.#overlays.alias(this.#firstStatusPage + Math.floor(ref / STATUSES_PER_FRAME)).words;
  }

  /** Two statuses of 16 bits share a word. */
  #statusIndex(ref: number): number {
    return (ref % STATUSES_PER_FRAME) >>> 1;
  }

  #shift(ref: number): number {
    return (ref & 1) * 16;
  }
}
