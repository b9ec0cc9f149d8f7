/**
 * memory_op's calls for the control domain, and those about what our machines do not have, with Xen's answers.
 *
 * [MEMORY] xen.git xen/include/public/memory.h
 */
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/memory.js";
import { bareOperation, isSelf, numberError, operation, strangerError } from "./call.js";
import type { SubOperation } from "./call.js";

const { Xenmem } = abi;

function podTarget(number: number, name: string): SubOperation {
  return operation({ number, name }, "in", abi.podTarget, (xen, _call, { domid }) =>
    isSelf(xen, domid) ? Errno.EPERM : strangerError(domid),
  );
}

export const memoryRest: readonly SubOperation[] = [
  podTarget(Xenmem.set_pod_target, "XENMEM_set_pod_target"),
  podTarget(Xenmem.get_pod_target, "XENMEM_get_pod_target"),
  operation({ number: Xenmem.access_op, name: "XENMEM_access_op" }, "in", abi.memAccessOp, (xen, _call, { domid }) =>
    numberError(xen, domid),
  ),
  operation(
    { number: Xenmem.claim_pages, name: "XENMEM_claim_pages" },
    "in",
    abi.memoryReservation,
    (xen, _call, { extentStartLow, extentStartHigh, extentOrder, memFlags, domid }) => {
      const plain = extentStartLow === 0 && extentStartHigh === 0 && extentOrder === 0 && memFlags === 0;
      return plain && numberError(xen, domid) === Errno.EPERM ? Errno.EPERM : Errno.EINVAL;
    },
  ),
  // No virtual nodes: all memory is as near to every vCPU.
  operation(
    { number: Xenmem.get_vnumainfo, name: "XENMEM_get_vnumainfo" },
    "in",
    abi.vnumaTopologyInfo,
    (xen, _call, { domid, pad }) => {
      if (pad !== 0) return Errno.EINVAL;
      return isSelf(xen, domid) ? Errno.EOPNOTSUPP : strangerError(domid);
    },
  ),
  // No device of the host's, so none that has memory of its own.
  operation(
    { number: Xenmem.reserved_device_memory_map, name: "XENMEM_reserved_device_memory_map" },
    "inout",
    abi.reservedDeviceMemoryMap,
    (_xen, _call, argument) => {
      if ((argument.flags & ~abi.RDM_ALL) !== 0) return Errno.EINVAL;
      argument.nrEntries = 0;
      return 0;
    },
  ),
  // Xen does not even look at what an HVM guest asks for.
  bareOperation(Xenmem.acquire_resource, "XENMEM_acquire_resource", () => Errno.EACCES),
];
