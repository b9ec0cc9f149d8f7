/** hvm_op: what only guests with a whole machine of their own ask. [HVMOP] xen.git xen/include/public/hvm/hvm_op.h */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gfn, Vector } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/hvm.js";
import { DOMID_BACKEND, HypercallNumber } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { bareOperation, isSelf, operation, strangerError } from "./call.js";
import type { Hypercall } from "./call.js";
import { hvmParams } from "./hvm-params.js";

const { HvmMem, Hvmop } = abi;

/** Vectors below are exceptions and reserved. */
const FIRST_VECTOR = 0x10;

function isMemory(xen: XenParts, frame: number): boolean {
  return xen.overlays.page(frame as Gfn) !== undefined || xen.memory.region(frame * PAGE_SIZE, PAGE_SIZE) !== undefined;
}

export const hvmOp: Hypercall = {
  number: HypercallNumber.hvm_op,
  name: "hvm_op",
  pointer: 1,
  operations: [
    ...hvmParams,
    // A mask of vCPUs was never asked for by anybody: all are meant, or it is a mistake.
    bareOperation(Hvmop.flush_tlbs, "HVMOP_flush_tlbs", (xen, call) => {
      if (!call.isNull(1)) return Errno.EINVAL;
      xen.host.flushTlbs();
      return 0;
    }),
    // A hint to shadow paging: with the processor's own nested paging, Xen has no use for it either.
    operation(
      { number: Hvmop.pagetable_dying, name: "HVMOP_pagetable_dying" },
      "in",
      abi.hvmPagetableDying,
      (xen, _call, argument) =>
        isSelf(xen, argument.domid) || argument.domid === DOMID_BACKEND ? Errno.EINVAL : Errno.ESRCH,
    ),
    // Nobody collects the hypervisor's trace records; what a guest calls can be traced by the hypercall trace point.
    operation(
      { number: Hvmop.xentrace, name: "HVMOP_xentrace" },
      "in",
      abi.hvmXentrace,
      (_xen, _call, { event, extraBytes }) =>
        extraBytes > abi.TRACE_EXTRA_BYTES || event > abi.TRACE_EVENT_MASK ? Errno.EINVAL : 0,
    ),
    operation({ number: Hvmop.get_time, name: "HVMOP_get_time" }, "out", abi.hvmGetTime, (xen, _call, argument) => {
      argument.now = Math.floor(xen.host.systemTimeNs());
      return 0;
    }),
    operation(
      { number: Hvmop.get_mem_type, name: "HVMOP_get_mem_type" },
      "inout",
      abi.hvmGetMemType,
      (xen, _call, argument) => {
        if (!isSelf(xen, argument.domid)) return strangerError(argument.domid);
        argument.memType = isMemory(xen, argument.pfn) ? HvmMem.ramReadWrite : HvmMem.mmio;
        return 0;
      },
    ),
    operation(
      { number: Hvmop.set_evtchn_upcall_vector, name: "HVMOP_set_evtchn_upcall_vector" },
      "in",
      abi.evtchnUpcallVector,
      (xen, _call, argument) => {
        const { vcpu, vector } = argument;
        if (vector < FIRST_VECTOR) return Errno.EINVAL;
        if (!xen.domain.isVcpu(vcpu)) return Errno.ENOENT;
        xen.delivery.setUpcallVector(vcpu, vector as Vector);
        xen.events.refreshRoutes();
        return 0;
      },
    ),
    // Nobody monitors the guest, so there is nobody to tell.
    bareOperation(Hvmop.guest_request_vm_event, "HVMOP_guest_request_vm_event", (_xen, call) =>
      call.isNull(1) ? 0 : Errno.EINVAL,
    ),
    bareOperation(Hvmop.altp2m, "HVMOP_altp2m", () => Errno.EOPNOTSUPP),
  ],
};
