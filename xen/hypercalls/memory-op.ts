/** memory_op: the guest's physical address space. [MEMORY] xen.git xen/include/public/memory.h */
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/memory.js";
import { HypercallNumber } from "../abi/xen.js";
import { FIRST_GRANT_PAGE, SHARED_INFO_PAGE } from "../domain-config.js";
import type { XenParts } from "../parts.js";
import { bareOperation, isSelf, operation } from "./call.js";
import type { Hypercall, HypercallCall, SubOperation } from "./call.js";

const { MapSpace, Xenmem } = abi;

/** Largest extent a guest may ask for at once, as a power of two of pages; Xen's limit for guests without devices. */
const MAX_EXTENT_ORDER = 9;
/** Pages that one call moves at most: the guest sees how far it got, and calls again. */
const MAX_PAGES_PER_CALL = 0x1_0000;

/** Makes the page that `space` and `index` name appear at `frame`. */
function addToPhysmap(xen: XenParts, space: number, index: number, frame: number): number {
  switch (space) {
    case MapSpace.sharedInfo:
      return index === 0 && xen.mapSharedInfo(frame) ? 0 : Errno.EINVAL;
    case MapSpace.grantTable:
      // Status frames, whose index has the top bit, belong to version 2.
      if (index >= xen.grants.maxFrames || !xen.grants.growTo(index + 1)) return Errno.EINVAL;
      return xen.overlays.map(FIRST_GRANT_PAGE + index, frame) ? 0 : Errno.EINVAL;
    case MapSpace.gmfn:
    case MapSpace.gmfnRange:
      return Errno.EOPNOTSUPP;
    case MapSpace.gmfnForeign:
    case MapSpace.devMmio:
      return Errno.EPERM;
    default:
      return Errno.EINVAL;
  }
}

/** A number of the caller's width out of an array at (`high`, `low`); -1 when it cannot be read. */
function element(call: HypercallCall, high: number, low: number, index: number): number {
  const at = low + index * (call.longMode ? 8 : 4);
  const atHigh = (high + Math.floor(at / 0x1_0000_0000)) >>> 0;
  return call.longMode ? call.vm.u64(atHigh, at >>> 0) : call.vm.u32(atHigh, at >>> 0);
}

/** Moves whole extents between guest and host; the number of extents done. */
function moveExtents(
  call: HypercallCall,
  reservation: { extentStartLow: number; extentStartHigh: number; nrExtents: number; extentOrder: number },
  move: (frame: number) => boolean,
): number {
  const { extentStartLow, extentStartHigh, nrExtents, extentOrder } = reservation;
  if (extentOrder > MAX_EXTENT_ORDER) return 0;
  const pages = 2 ** extentOrder;
  const extents = Math.min(nrExtents, Math.floor(MAX_PAGES_PER_CALL / pages));
  for (let i = 0; i < extents; i++) {
    const first = element(call, extentStartHigh, extentStartLow, i);
    if (first < 0) return i;
    for (let page = 0; page < pages; page++) if (!move(first + page)) return i;
  }
  return extents;
}

/** A query about the caller's own domain that answers a number. */
function domainQuery(number: number, name: string, answer: (xen: XenParts) => number): SubOperation {
  return operation({ number, name }, "in", abi.memoryDomain, (xen, _call, argument) =>
    isSelf(xen, argument.domid) ? answer(xen) : Errno.ESRCH,
  );
}

export const memoryOp: Hypercall = {
  number: HypercallNumber.memory_op,
  name: "memory_op",
  pointer: 1,
  commandMask: abi.MEMOP_CMD_MASK,
  operations: [
    operation(
      { number: Xenmem.increase_reservation, name: "XENMEM_increase_reservation" },
      "in",
      abi.memoryReservation,
      // Frames without an address are of no use to a guest whose addresses are translated.
      (xen, _call, argument) => (isSelf(xen, argument.domid) ? 0 : Errno.ESRCH),
    ),
    operation(
      { number: Xenmem.decrease_reservation, name: "XENMEM_decrease_reservation" },
      "in",
      abi.memoryReservation,
      (xen, call, argument) =>
        isSelf(xen, argument.domid)
          ? moveExtents(call, argument, (frame) => xen.reservation.release(frame))
          : Errno.ESRCH,
    ),
    operation(
      { number: Xenmem.populate_physmap, name: "XENMEM_populate_physmap" },
      "in",
      abi.memoryReservation,
      (xen, call, argument) =>
        isSelf(xen, argument.domid)
          ? moveExtents(call, argument, (frame) => xen.reservation.populate(frame))
          : Errno.ESRCH,
    ),
    bareOperation(Xenmem.maximum_ram_page, "XENMEM_maximum_ram_page", (xen) => xen.reservation.highest + 1),
    domainQuery(Xenmem.current_reservation, "XENMEM_current_reservation", (xen) => xen.reservation.current),
    domainQuery(Xenmem.maximum_reservation, "XENMEM_maximum_reservation", (xen) => xen.reservation.maximum),
    domainQuery(Xenmem.maximum_gpfn, "XENMEM_maximum_gpfn", (xen) => xen.reservation.highest),
    operation(
      { number: Xenmem.add_to_physmap, name: "XENMEM_add_to_physmap" },
      "in",
      abi.addToPhysmap,
      (xen, _call, argument) =>
        isSelf(xen, argument.domid) ? addToPhysmap(xen, argument.space, argument.idx, argument.gpfn) : Errno.ESRCH,
    ),
    operation(
      { number: Xenmem.add_to_physmap_batch, name: "XENMEM_add_to_physmap_batch" },
      "in",
      abi.addToPhysmapBatch,
      (xen, call, argument) => {
        if (!isSelf(xen, argument.domid)) return Errno.ESRCH;
        const { space, size } = argument;
        if (space === MapSpace.gmfnRange) return Errno.EINVAL;
        if (space === MapSpace.gmfnForeign) return Errno.EPERM;
        const { idxsHigh, idxsLow, gpfnsHigh, gpfnsLow, errsHigh, errsLow } = argument;
        for (let i = 0; i < size; i++) {
          const index = element(call, idxsHigh, idxsLow, i);
          const frame = element(call, gpfnsHigh, gpfnsLow, i);
          if (index < 0 || frame < 0) return Errno.EFAULT;
          const error = addToPhysmap(xen, space, index, frame);
          // errs[] are ints in both layouts.
          const at = errsLow + i * 4;
          const high = (errsHigh + Math.floor(at / 0x1_0000_0000)) >>> 0;
          if (!call.vm.writeU32(high, at >>> 0, error >>> 0)) return Errno.EFAULT;
        }
        return 0;
      },
    ),
    operation(
      { number: Xenmem.remove_from_physmap, name: "XENMEM_remove_from_physmap" },
      "in",
      abi.removeFromPhysmap,
      (xen, _call, argument) => {
        if (!isSelf(xen, argument.domid)) return Errno.ESRCH;
        const { gpfn } = argument;
        if (xen.overlays.frameOf(SHARED_INFO_PAGE) === gpfn) {
          xen.mapSharedInfo(-1);
          return 0;
        }
        return xen.overlays.unmapFrame(gpfn) >= 0 || xen.reservation.release(gpfn) ? 0 : Errno.ENOENT;
      },
    ),
    operation(
      { number: Xenmem.memory_map, name: "XENMEM_memory_map" },
      "inout",
      abi.memoryMap,
      (xen, call, argument) => {
        const { memoryMap } = xen.config;
        if (argument.nrEntries < memoryMap.length) return Errno.EINVAL;
        let offset = 0;
        for (const entry of memoryMap) {
          writeU64(call, offset, entry.base);
          writeU64(call, offset + 8, entry.length);
          call.bufferView.setUint32(offset + 16, entry.type, true);
          offset += abi.E820_ENTRY_SIZE;
        }
        if (!call.vm.write(argument.bufferHigh, argument.bufferLow, call.buffer, offset)) return Errno.EFAULT;
        argument.nrEntries = memoryMap.length;
        return 0;
      },
    ),
    bareOperation(Xenmem.exchange, "XENMEM_exchange", () => Errno.EOPNOTSUPP),
    bareOperation(Xenmem.machine_memory_map, "XENMEM_machine_memory_map", () => Errno.EPERM),
    bareOperation(Xenmem.set_memory_map, "XENMEM_set_memory_map", () => Errno.EPERM),
  ],
};

function writeU64(call: HypercallCall, offset: number, value: number): void {
  call.bufferView.setUint32(offset, value % 0x1_0000_0000, true);
  call.bufferView.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}
