/** hvm_op: HVM parameters and per-vCPU upcall vectors. [HVMOP] xen.git xen/include/public/hvm/hvm_op.h; [PARAMS] hvm/params.h */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gfn, Vector } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/hvm.js";
import { HypercallNumber } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { bareOperation, isSelf, operation } from "./call.js";
import type { Hypercall } from "./call.js";

const { HvmMem, HvmParam, Hvmop } = abi;

/** Vectors below are exceptions and reserved. */
const FIRST_VECTOR = 0x10;

/** Parameters that a guest may read; those of {@link GUEST_WRITES} too. */
const GUEST_READS: ReadonlySet<number> = new Set([HvmParam.STORE_PFN, HvmParam.CONSOLE_PFN, HvmParam.ALTP2M]);

/** Parameters that a guest may set, as Xen lets it. All but the callback are only kept. */
const GUEST_WRITES: ReadonlySet<number> = new Set([
  HvmParam.CALLBACK_IRQ,
  HvmParam.STORE_EVTCHN,
  HvmParam.CONSOLE_EVTCHN,
  HvmParam.VM86_TSS,
  HvmParam.VM86_TSS_SIZED,
  HvmParam.ACPI_IOPORTS_LOCATION,
  HvmParam.VM_GENERATION_ID_ADDR,
  HvmParam.X87_FIP_WIDTH,
]);

function isMemory(xen: XenParts, frame: number): boolean {
  return xen.overlays.page(frame as Gfn) !== undefined || xen.memory.region(frame * PAGE_SIZE, PAGE_SIZE) !== undefined;
}

export const hvmOp: Hypercall = {
  number: HypercallNumber.hvm_op,
  name: "hvm_op",
  pointer: 1,
  operations: [
    operation({ number: Hvmop.set_param, name: "HVMOP_set_param" }, "in", abi.hvmParam, (xen, call, argument) => {
      const { domid, index, valueHigh, valueLow } = argument;
      if (index >= abi.HVM_NR_PARAMS) return Errno.EINVAL;
      if (!isSelf(xen, domid)) return Errno.ESRCH;
      if (!GUEST_WRITES.has(index)) return Errno.EPERM;
      xen.domain.setParam(index, valueHigh, valueLow);
      if (index === HvmParam.CALLBACK_IRQ) {
        // Latch first: what waits in the bitmaps is then looked for where the guest has them.
        xen.latchLongMode(call.longMode);
        xen.delivery.setCallback(valueHigh, valueLow);
        xen.events.refreshRoutes();
      }
      return 0;
    }),
    operation({ number: Hvmop.get_param, name: "HVMOP_get_param" }, "inout", abi.hvmParam, (xen, _call, argument) => {
      const { domid, index } = argument;
      if (index >= abi.HVM_NR_PARAMS) return Errno.EINVAL;
      if (!isSelf(xen, domid)) return Errno.ESRCH;
      if (!GUEST_READS.has(index) && !GUEST_WRITES.has(index)) return Errno.EPERM;
      argument.valueHigh = xen.domain.paramHigh(index);
      argument.valueLow = xen.domain.paramLow(index);
      return 0;
    }),
    // Linux calls it on every exit of a process once it has been answered; shadow paging alone gains by it.
    bareOperation(Hvmop.pagetable_dying, "HVMOP_pagetable_dying", () => Errno.ENOSYS),
    operation({ number: Hvmop.get_time, name: "HVMOP_get_time" }, "out", abi.hvmGetTime, (xen, _call, argument) => {
      argument.now = Math.floor(xen.host.systemTimeNs());
      return 0;
    }),
    operation(
      { number: Hvmop.get_mem_type, name: "HVMOP_get_mem_type" },
      "inout",
      abi.hvmGetMemType,
      (xen, _call, argument) => {
        if (!isSelf(xen, argument.domid)) return Errno.ESRCH;
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
        if (vector < FIRST_VECTOR || !xen.domain.isVcpu(vcpu)) return Errno.EINVAL;
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
