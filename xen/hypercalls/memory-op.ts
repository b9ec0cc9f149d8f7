/** memory_op: the guest's physical address space. [MEMORY] xen.git xen/include/public/memory.h */
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/memory.js";
import { HypercallNumber } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { bareOperation, isSelf, operation, strangerError } from "./call.js";
import type { Hypercall, HypercallCall, SubOperation } from "./call.js";
import { startExtent } from "./memory-call.js";
import { memoryRest } from "./memory-rest.js";
import { physmapOps, refusedStart } from "./physmap-op.js";
import { reservationOps } from "./reservation-op.js";

const { Xenmem } = abi;

/** Calls that have nothing to go on with, and what they answer when they are told to. */
const WHOLE: ReadonlyMap<number, number> = new Map<number, number>([
  [Xenmem.maximum_ram_page, Errno.EINVAL],
  [Xenmem.current_reservation, Errno.EINVAL],
  [Xenmem.maximum_reservation, Errno.EINVAL],
  [Xenmem.maximum_gpfn, Errno.EINVAL],
  [Xenmem.exchange, Errno.EINVAL],
  [Xenmem.remove_from_physmap, Errno.EINVAL],
  [Xenmem.claim_pages, Errno.EINVAL],
  [Xenmem.get_vnumainfo, Errno.EINVAL],
  [Xenmem.reserved_device_memory_map, Errno.EINVAL],
  [Xenmem.set_pod_target, Errno.ENOSYS],
  [Xenmem.get_pod_target, Errno.ENOSYS],
  [Xenmem.memory_map, Errno.ENOSYS],
  [Xenmem.machine_memory_map, Errno.ENOSYS],
  [Xenmem.set_memory_map, Errno.ENOSYS],
]);

/** A query about the caller's own domain that answers a number. */
function domainQuery(number: number, name: string, answer: (xen: XenParts) => number): SubOperation {
  return operation({ number, name }, "in", abi.memoryDomain, (xen, _call, argument) =>
    isSelf(xen, argument.domid) ? answer(xen) : strangerError(argument.domid),
  );
}

/** Which part of its list a call begins with is looked at before its struct. */
function guardStart(_xen: XenParts, call: HypercallCall): number {
  const start = startExtent(call);
  const command = call.lo(0) & abi.MEMOP_CMD_MASK;
  return start === 0 ? 0 : (WHOLE.get(command) ?? refusedStart(command, start));
}

export const memoryOp: Hypercall = {
  number: HypercallNumber.memory_op,
  name: "memory_op",
  pointer: 1,
  commandMask: abi.MEMOP_CMD_MASK,
  guard: guardStart,
  operations: [
    ...reservationOps,
    ...physmapOps,
    ...memoryRest,
    bareOperation(Xenmem.maximum_ram_page, "XENMEM_maximum_ram_page", (xen) => xen.reservation.highest + 1),
    domainQuery(
      Xenmem.current_reservation,
      "XENMEM_current_reservation",
      (xen) => xen.reservation.current + xen.moved.count,
    ),
    domainQuery(Xenmem.maximum_reservation, "XENMEM_maximum_reservation", (xen) => xen.reservation.maximum),
    domainQuery(Xenmem.maximum_gpfn, "XENMEM_maximum_gpfn", (xen) => xen.reservation.highest),
    operation(
      { number: Xenmem.memory_map, name: "XENMEM_memory_map" },
      "inout",
      abi.memoryMap,
      (xen, call, argument) => {
        const { nrEntries, bufferHigh, bufferLow } = argument;
        const entries = xen.memoryMap.read(Math.min(nrEntries, abi.E820_MAX_ENTRIES));
        if (entries === undefined) return Errno.ENOSYS;
        if (!call.vm.write(bufferHigh, bufferLow, entries, entries.length)) return Errno.EFAULT;
        argument.nrEntries = entries.length / abi.E820_ENTRY_SIZE;
        return 0;
      },
    ),
    // A guest may set its own: the host's tools do it before the guest starts, and Xen makes no difference.
    operation(
      { number: Xenmem.set_memory_map, name: "XENMEM_set_memory_map" },
      "in",
      abi.foreignMemoryMap,
      (xen, call, { domid, nrEntries, bufferHigh, bufferLow }) => {
        if (nrEntries > abi.E820_MAX_ENTRIES) return Errno.EINVAL;
        if (!isSelf(xen, domid)) return strangerError(domid);
        const entries = xen.memoryMap.scratch(nrEntries);
        if (!call.vm.read(bufferHigh, bufferLow, entries, entries.length)) return Errno.EFAULT;
        xen.memoryMap.write(entries);
        return 0;
      },
    ),
    bareOperation(Xenmem.exchange, "XENMEM_exchange", () => Errno.EOPNOTSUPP),
    bareOperation(Xenmem.machine_memory_map, "XENMEM_machine_memory_map", () => Errno.EPERM),
  ],
};
