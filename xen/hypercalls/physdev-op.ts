/** physdev_op: what an HVM guest may do with physical interrupts. [PHYSDEV] xen.git xen/include/public/physdev.h */
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/physdev.js";
import { DOMID_SELF, HypercallNumber } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { bareOperation, numberError, operation } from "./call.js";
import type { Hypercall } from "./call.js";

const { MapPirqType, Physdevop } = abi;

/** Only DOMID_SELF may map: by its own number a guest asks as a device model would. 0, or the error. */
function refusedDomain(xen: XenParts, domid: number): number {
  return domid === DOMID_SELF ? 0 : numberError(xen, domid);
}

export const physdevOp: Hypercall = {
  number: HypercallNumber.physdev_op,
  name: "physdev_op",
  pointer: 1,
  operations: [
    operation(
      { number: Physdevop.irq_status_query, name: "PHYSDEVOP_irq_status_query" },
      "inout",
      abi.irqStatusQuery,
      (xen, _call, argument) => {
        const needsEoi = xen.pirqs.needsEoi(argument.irq);
        if (needsEoi === undefined) return Errno.EINVAL;
        argument.flags = needsEoi ? abi.XENIRQSTAT_needs_eoi : 0;
        return 0;
      },
    ),
    operation({ number: Physdevop.eoi, name: "PHYSDEVOP_eoi" }, "in", abi.physdevEoi, (xen, _call, argument) =>
      xen.pirqs.eoi(argument.irq),
    ),
    operation(
      { number: Physdevop.map_pirq, name: "PHYSDEVOP_map_pirq" },
      "inout",
      abi.mapPirq,
      (xen, _call, argument) => {
        const refusal = refusedDomain(xen, argument.domid);
        if (refusal !== 0) return refusal;
        // As in Xen for an HVM guest: the MSI types map a real device's. An emulated one's needs no mapping.
        if (argument.type !== MapPirqType.gsi) return Errno.EINVAL;
        const pirq = xen.pirqs.mapGsi(argument.index, argument.pirq);
        if (pirq < 0) return pirq;
        argument.pirq = pirq;
        return 0;
      },
    ),
    operation(
      { number: Physdevop.unmap_pirq, name: "PHYSDEVOP_unmap_pirq" },
      "in",
      abi.unmapPirq,
      (xen, _call, argument) => {
        const refusal = refusedDomain(xen, argument.domid);
        if (refusal !== 0) return refusal;
        xen.pirqs.unmap(argument.pirq);
        return 0;
      },
    ),
    operation(
      { number: Physdevop.get_free_pirq, name: "PHYSDEVOP_get_free_pirq" },
      "inout",
      abi.getFreePirq,
      (xen, _call, argument) => {
        const { type } = argument;
        if (type !== MapPirqType.gsi && type !== MapPirqType.msi) return Errno.EINVAL;
        const pirq = xen.pirqs.allocate(type === MapPirqType.gsi);
        if (pirq < 0) return pirq;
        argument.pirq = pirq;
        return 0;
      },
    ),
    // FreeBSD asks; it then sends PHYSDEVOP_eoi for each interrupt.
    bareOperation(Physdevop.pirq_eoi_gmfn_v1, "PHYSDEVOP_pirq_eoi_gmfn_v1", () => Errno.ENOSYS),
    bareOperation(Physdevop.pirq_eoi_gmfn_v2, "PHYSDEVOP_pirq_eoi_gmfn_v2", () => Errno.ENOSYS),
  ],
};
