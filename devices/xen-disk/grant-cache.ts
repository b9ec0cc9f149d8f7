/**
 * The grants of a block ring, mapped: for one request, or (persistent grants) once and for many.
 *
 * A persistent grant stays mapped, writable, until the ring goes or until another takes its place: the one that rested
 * longest goes first. When every place is in use, a grant is mapped for its one request only.
 *
 * [BLKIF] xen.git xen/include/public/io/blkif.h, feature-persistent and its notes 7 to 9
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { GuestMemory, MemoryRegion } from "../../shared/memory.js";

/** What a back end asks of the grant table. */
export interface GrantAccess {
  /** Guest-physical address of the granted page, or -1. The grant counts as in use until it is unmapped. */
  map(ref: number, writable: boolean): number;
  /** Gives one mapping back; `writable` as it was mapped. */
  unmap(ref: number, writable: boolean): void;
}

/** The place of one persistent grant: a link in the list of resting ones. Opaque to others. */
class Place {
  ref = 0;
  region: MemoryRegion | undefined = undefined;
  /** Bytes into the region. */
  offset = 0;
  /** Segments of requests in flight that use the page. */
  users = 0;
  /** Neighbours among the resting places, oldest first; itself when in use. */
  older: Place = this;
  newer: Place = this;
}

export type GrantPlace = Place;

export class GrantCache {
  readonly #access: GrantAccess;
  readonly #memory: GuestMemory;
  readonly #limit: number;
  readonly #byRef = new Map<number, Place>();
  /** Places without a grant. */
  readonly #free: Place[] = [];
  #placeCount = 0;
  /** Anchor of the circular list of resting places: `newer` of it is the oldest. */
  readonly #resting = new Place();
  #persistent = false;
  /** What the last successful `acquire` found. */
  region: MemoryRegion | undefined = undefined;
  offset = 0;
  /** Where it is kept when it is persistent. */
  place: GrantPlace | undefined = undefined;

  /** `limit` is the most persistent grants that stay mapped. */
  constructor(access: GrantAccess, memory: GuestMemory, limit: number) {
    this.#access = access;
    this.#memory = memory;
    this.#limit = limit;
  }

  /** Persistent grants mapped now. */
  get size(): number {
    return this.#byRef.size;
  }

  /** Starts for a new front end, which offers persistent grants or not. */
  open(persistent: boolean): void {
    this.#persistent = persistent;
  }

  /**
   * Finds the page of `ref`, mapping it if it must. On true, `region`, `offset` and `place` say what was found, and the
   * caller owes one `release(ref, writable, place)`; on false it owes nothing.
   */
  acquire(ref: number, writable: boolean): boolean {
    if (this.#persistent) {
      const place = this.#byRef.get(ref) ?? this.#adopt(ref);
      if (place !== undefined) {
        if (place.users++ === 0) unlink(place);
        this.region = place.region;
        this.offset = place.offset;
        this.place = place;
        return true;
      }
    }
    this.place = undefined;
    return this.#map(ref, writable);
  }

  /** Gives back what `acquire` found. */
  release(ref: number, writable: boolean, place: GrantPlace | undefined): void {
    if (place === undefined) this.#access.unmap(ref, writable);
    else if (--place.users === 0) this.#rest(place);
  }

  /** Unmaps the persistent grants. Call with no request in flight. */
  close(): void {
    for (const ref of this.#byRef.keys()) this.#access.unmap(ref, true);
    this.forget();
  }

  /** Drops everything without unmapping: the grant table itself is gone. */
  forget(): void {
    for (const place of this.#byRef.values()) this.#vacate(place);
    this.#byRef.clear();
    this.region = undefined;
  }

  /** A place for `ref`, mapped writable as [BLKIF] note 8 lets us; undefined when none is to be had. */
  #adopt(ref: number): Place | undefined {
    const place = this.#takePlace();
    if (place === undefined) return undefined;
    if (!this.#map(ref, true)) {
      this.#free.push(place);
      return undefined;
    }
    place.ref = ref;
    place.region = this.region;
    place.offset = this.offset;
    this.#byRef.set(ref, place);
    return place;
  }

  #takePlace(): Place | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#placeCount < this.#limit) {
      this.#placeCount++;
      return new Place();
    }
    const oldest = this.#resting.newer;
    if (oldest === this.#resting) return undefined;
    this.#byRef.delete(oldest.ref);
    this.#access.unmap(oldest.ref, true);
    unlink(oldest);
    return oldest;
  }

  #map(ref: number, writable: boolean): boolean {
    const at = this.#access.map(ref, writable);
    if (at < 0) return false;
    const region = this.#memory.region(at, PAGE_SIZE);
    if (region === undefined) {
      this.#access.unmap(ref, writable);
      return false;
    }
    this.region = region;
    this.offset = at - region.gpa;
    return true;
  }

  #rest(place: Place): void {
    const anchor = this.#resting;
    place.older = anchor.older;
    place.newer = anchor;
    anchor.older.newer = place;
    anchor.older = place;
  }

  #vacate(place: Place): void {
    unlink(place);
    place.users = 0;
    place.region = undefined;
    this.#free.push(place);
  }
}

function unlink(place: Place): void {
  place.older.newer = place.newer;
  place.newer.older = place.older;
  place.older = place;
  place.newer = place;
}
