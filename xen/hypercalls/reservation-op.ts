/**
 * memory_op's part for balloon drivers: frames go from the guest to the host and back. [MEMORY] xen.git
 * xen/include/public/memory.h
 *
 * These calls know no errors: they answer how many extents are done, and a mistake ends them there.
 */
import type { Gfn } from "../../shared/brand.js";
import * as abi from "../abi/memory.js";
import type { XenParts } from "../parts.js";
import { isSelf, operation } from "./call.js";
import type { HypercallCall, SubOperation } from "./call.js";
import { continueFrom, element, startExtent } from "./memory-call.js";

const { MemFlag, Xenmem } = abi;

/** Largest extent a guest may ask for at once, as a power of two of pages; Xen's limit for guests without devices. */
const MAX_EXTENT_ORDER = 9;
/** More extents than this cannot be told from a command: 2^32 / 64. */
const MAX_EXTENTS = 0x3ff_ffff;
/** Pages that are moved before the guest makes the call again for the rest. */
const PAGES_PER_EXIT = 0x1_0000;
/** Addresses of fewer bits than a page has are none, and 0 means any. */
const PAGE_BITS = 12;

interface Wanted {
  readonly extentStartLow: number;
  readonly extentStartHigh: number;
  readonly nrExtents: number;
  readonly extentOrder: number;
  readonly memFlags: number;
  readonly domid: number;
}

/** Whether the call is about nothing that could be done, from extent `start` on. */
function isRefused(xen: XenParts, wanted: Wanted, start: number): boolean {
  const { nrExtents, extentOrder, memFlags, domid } = wanted;
  const bits = memFlags & MemFlag.addressBits;
  // Which of the host's nodes it comes from is not for a guest to say.
  const exactNode = (memFlags & MemFlag.exactNode) !== 0 && (memFlags & MemFlag.virtualNode) === 0;
  return (
    nrExtents > MAX_EXTENTS ||
    start >= nrExtents ||
    !isSelf(xen, domid) ||
    (bits !== 0 && bits <= PAGE_BITS) ||
    (exactNode && (memFlags & MemFlag.node) !== 0) ||
    extentOrder > MAX_EXTENT_ORDER
  );
}

/** Moves whole extents between guest and host; the number of extents done, those of earlier parts of the call included. */
function moveExtents(xen: XenParts, call: HypercallCall, wanted: Wanted, move: (frame: number) => boolean): number {
  const start = startExtent(call);
  if (isRefused(xen, wanted, start)) return start;
  const { nrExtents, extentOrder, extentStartHigh, extentStartLow } = wanted;
  const pages = 2 ** extentOrder;
  const end = Math.min(nrExtents, start + PAGES_PER_EXIT / pages);
  for (let i = start; i < end; i++) {
    const first = element(call, extentStartHigh, extentStartLow, i);
    if (first < 0) return i;
    for (let page = 0; page < pages; page++) if (!move(first + page)) return i;
  }
  if (end < nrExtents) continueFrom(call, end);
  return end;
}

/** Takes extents from the guest, and gives runs of frames to the host at once. */
function releaseExtents(xen: XenParts, call: HypercallCall, wanted: Wanted): number {
  let first = 0;
  let count = 0;
  const discard = (): void => {
    if (count > 0) xen.host.discardFrames(first as Gfn, count);
  };
  const done = moveExtents(xen, call, wanted, (frame) => {
    // What a page of ours lies over is in use.
    if (xen.overlays.page(frame as Gfn) !== undefined) return xen.moved.drop(frame);
    if (!xen.reservation.release(frame)) return false;
    if (frame !== first + count) {
      discard();
      first = frame;
      count = 0;
    }
    count++;
    return true;
  });
  discard();
  return done;
}

/** Populates frames, as many as the guest may hold; it cannot put them on demand. */
function populateExtents(xen: XenParts, call: HypercallCall, wanted: Wanted): number {
  const { reservation, moved, overlays } = xen;
  const onDemand = (wanted.memFlags & MemFlag.populateOnDemand) !== 0;
  let room = onDemand ? 0 : reservation.maximum - reservation.current - moved.count;
  return moveExtents(xen, call, wanted, (frame) => {
    if (room-- <= 0) return false;
    if (reservation.isRam(frame)) return reservation.populate(frame);
    return overlays.page(frame as Gfn) === undefined && moved.place(frame) === 0;
  });
}

function reservation(
  number: number,
  name: string,
  run: (xen: XenParts, call: HypercallCall, wanted: Wanted) => number,
): SubOperation {
  return operation({ number, name, fault: startExtent }, "in", abi.memoryReservation, run);
}

export const reservationOps: readonly SubOperation[] = [
  // Frames without an address are of no use to a guest whose addresses are translated: there are none to be had.
  reservation(Xenmem.increase_reservation, "XENMEM_increase_reservation", (_xen, call) => startExtent(call)),
  reservation(Xenmem.decrease_reservation, "XENMEM_decrease_reservation", releaseExtents),
  reservation(Xenmem.populate_physmap, "XENMEM_populate_physmap", populateExtents),
];
