/**
 * memory_op's part for what lies where: pages of Xen's come to guest frames, frames move. [MEMORY] xen.git
 * xen/include/public/memory.h
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gfn } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/memory.js";
import { DOMID_BACKEND } from "../abi/xen.js";
import { FIRST_GRANT_PAGE, SHARED_INFO_PAGE } from "../domain-config.js";
import type { XenParts } from "../parts.js";
import { carried, isSelf, operation } from "./call.js";
import type { HypercallCall, SubOperation } from "./call.js";
import { continueFrom, element, startExtent } from "./memory-call.js";

const { MapSpace, Xenmem } = abi;

/** Frames that move, and entries of a batch, before the guest makes the call again for the rest. */
const FRAMES_PER_EXIT = 0x400;
const ENTRIES_PER_EXIT = 0x100;
/** `size` of both structs has 16 bits, so that more cannot have been done. */
const MAX_SIZE = 0xffff;
const TWO_64 = 2 ** 64;

/** Takes the page of ours at `frame` away; false when there is none. */
function unhook(xen: XenParts, frame: number): boolean {
  if (xen.overlays.frameOf(SHARED_INFO_PAGE) !== frame) return xen.overlays.unmapFrame(frame) >= 0;
  xen.mapSharedInfo(-1);
  return true;
}

/** Makes a page of ours appear at `frame`: 0, or the error. One that was there goes away, and who keeps it is told. */
function show(xen: XenParts, page: number, frame: number): number {
  if (page === SHARED_INFO_PAGE) return xen.mapSharedInfo(frame) ? 0 : Errno.EINVAL;
  if (xen.overlays.frameOf(SHARED_INFO_PAGE) === frame) xen.mapSharedInfo(-1);
  return xen.overlays.map(page, frame) ? 0 : Errno.EINVAL;
}

/**
 * XENMAPSPACE_gmfn: what is at frame `from` is at `to` afterwards, and nowhere else. A page of RAM that was at `to` is lost,
 * and its memory the host's; a page of ours is only taken away.
 */
function moveFrame(xen: XenParts, from: number, to: number): number {
  const { overlays, reservation } = xen;
  const page = overlays.pageAt(from);
  // Only what the machine has as RAM is RAM there.
  if (page >= overlays.firstMoved && reservation.isRam(to)) return moveBack(xen, page, to);
  if (page >= 0) return show(xen, page, to);
  if (from === to) return reservation.holds(from) ? 0 : Errno.EINVAL;
  const source = xen.memory.region(from * PAGE_SIZE, PAGE_SIZE);
  // Nobody else may move it meanwhile.
  if (source === undefined || !reservation.release(from)) return Errno.EINVAL;
  unhook(xen, to);
  const offset = from * PAGE_SIZE - source.gpa;
  const contents = source.bytes.subarray(offset, offset + PAGE_SIZE);
  const error = reservation.isRam(to) ? fill(xen, to, contents) : xen.moved.place(to, contents);
  if (error === 0) xen.host.discardFrames(from as Gfn, 1);
  else reservation.populate(from);
  return error;
}

/** Moves RAM that lies where the machine has none to where it has. */
function moveBack(xen: XenParts, page: number, to: number): number {
  unhook(xen, to);
  const error = fill(xen, to, xen.overlays.alias(page).bytes);
  if (error === 0) xen.overlays.unmap(page);
  return error;
}

/** Gives the guest RAM with `contents` at `frame`, where the machine has it. */
function fill(xen: XenParts, frame: number, contents: Uint8Array): number {
  const target = xen.memory.region(frame * PAGE_SIZE, PAGE_SIZE);
  if (target === undefined) return Errno.EINVAL;
  target.bytes.set(contents, frame * PAGE_SIZE - target.gpa);
  xen.reservation.populate(frame);
  return 0;
}

/** Makes the page that `space` and `index` name appear at `frame`. */
function addToPhysmap(xen: XenParts, space: number, index: number, frame: number): number {
  switch (space) {
    case MapSpace.sharedInfo:
      return index === 0 ? show(xen, SHARED_INFO_PAGE, frame) : Errno.EINVAL;
    case MapSpace.grantTable:
      // Exactly the top bit of the index's low 32: a status frame.
      if (index >= abi.GRANT_STATUS && index < 2 * abi.GRANT_STATUS) {
        return mapStatusFrame(xen, index - abi.GRANT_STATUS, frame);
      }
      if (index >= xen.grants.maxFrames || !xen.grants.growTo(index + 1)) return Errno.EINVAL;
      return show(xen, FIRST_GRANT_PAGE + index, frame);
    case MapSpace.gmfn:
      return moveFrame(xen, index, frame);
    case MapSpace.gmfnForeign:
      return Errno.EPERM;
    // What is no space.
    default:
      return Errno.EINVAL;
  }
}

/** They exist in version 2 only, and come with the frames of entries. */
function mapStatusFrame(xen: XenParts, index: number, frame: number): number {
  if (index >= xen.grants.statusFrames) return Errno.EINVAL;
  return show(xen, xen.grants.statusPage(index), frame);
}

interface Run {
  readonly idx: number;
  readonly gpfn: number;
  readonly size: number;
}

/**
 * XENMAPSPACE_gmfn_range: `size` frames from `idx` on move to those from `gpfn` on, the last first where they would run
 * over each other. It ends at the first that does not.
 */
function moveRange(xen: XenParts, call: HypercallCall, { idx, gpfn, size }: Run): number {
  const start = startExtent(call);
  if (size < start) return Errno.EILSEQ;
  if (gpfn + size >= TWO_64 || idx + size >= TWO_64) return Errno.EOVERFLOW;
  const backwards = gpfn > idx && gpfn < idx + size;
  const end = Math.min(size, start + FRAMES_PER_EXIT);
  for (let done = start; done < end; done++) {
    const offset = backwards ? size - 1 - done : done;
    const error = moveFrame(xen, idx + offset, gpfn + offset);
    if (error < 0) return error;
  }
  if (end < size) continueFrom(call, end);
  return 0;
}

interface Batch {
  readonly space: number;
  readonly size: number;
  readonly idxsLow: number;
  readonly idxsHigh: number;
  readonly gpfnsLow: number;
  readonly gpfnsHigh: number;
  readonly errsLow: number;
  readonly errsHigh: number;
}

function addBatch(xen: XenParts, call: HypercallCall, batch: Batch): number {
  const { space, size, idxsHigh, idxsLow, gpfnsHigh, gpfnsLow, errsHigh, errsLow } = batch;
  const start = startExtent(call);
  if (start > 0 && start >= size) return Errno.EILSEQ;
  const end = Math.min(size, start + ENTRIES_PER_EXIT);
  for (let i = start; i < end; i++) {
    const index = element(call, idxsHigh, idxsLow, i);
    const frame = element(call, gpfnsHigh, gpfnsLow, i);
    if (index < 0 || frame < 0) return Errno.EFAULT;
    const error = addToPhysmap(xen, space, index, frame);
    // errs[] are ints in both layouts.
    const at = errsLow + i * 4;
    if (!call.vm.writeU32(carried(errsHigh, at), at >>> 0, error >>> 0)) return Errno.EFAULT;
  }
  if (end < size) continueFrom(call, end);
  return 0;
}

/** The back ends' domain has frames of the host, which cannot be told apart like a guest's. */
function strangerFrames(domid: number): number {
  return domid === DOMID_BACKEND ? Errno.EACCES : Errno.ESRCH;
}

/** Whether the caller may fill its own frames from `space`: 0, or the error. Devices' frames are for the host's kernel. */
function refusedSpace(xen: XenParts, domid: number, space: number): number {
  if (!isSelf(xen, domid)) return strangerFrames(domid);
  return space === MapSpace.devMmio ? Errno.EACCES : 0;
}

export const physmapOps: readonly SubOperation[] = [
  operation(
    { number: Xenmem.add_to_physmap, name: "XENMEM_add_to_physmap" },
    "in",
    abi.addToPhysmap,
    (xen, call, argument) => {
      const { domid, space, idx, gpfn } = argument;
      // Which other domain's, only a batch can say.
      if (space === MapSpace.gmfnForeign) return Errno.ENOSYS;
      const refusal = refusedSpace(xen, domid, space);
      if (refusal !== 0) return refusal;
      return space === MapSpace.gmfnRange ? moveRange(xen, call, argument) : addToPhysmap(xen, space, idx, gpfn);
    },
  ),
  operation(
    { number: Xenmem.add_to_physmap_batch, name: "XENMEM_add_to_physmap_batch" },
    "in",
    abi.addToPhysmapBatch,
    (xen, call, argument) => {
      const { domid, space } = argument;
      if (space === MapSpace.gmfnRange) return Errno.EOPNOTSUPP;
      const refusal = refusedSpace(xen, domid, space);
      return refusal === 0 ? addBatch(xen, call, argument) : refusal;
    },
  ),
  operation(
    { number: Xenmem.remove_from_physmap, name: "XENMEM_remove_from_physmap" },
    "in",
    abi.removeFromPhysmap,
    (xen, _call, { domid, gpfn }) => {
      if (!isSelf(xen, domid)) return strangerFrames(domid);
      if (unhook(xen, gpfn)) return 0;
      if (!xen.reservation.release(gpfn)) return Errno.ENOENT;
      xen.host.discardFrames(gpfn as Gfn, 1);
      return 0;
    },
  ),
];

/** Whether `start` elements cannot have been done of what {@link physmapOps} take: 0, or the error. */
export function refusedStart(command: number, start: number): number {
  const lists = command === Xenmem.add_to_physmap || command === Xenmem.add_to_physmap_batch;
  return lists && start > MAX_SIZE ? Errno.EDOM : 0;
}
