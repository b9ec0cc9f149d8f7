/** HVM parameters: who may set them to what, and who may know them. [PARAMS] xen.git xen/include/public/hvm/params.h */
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/hvm.js";
import { Shutdown } from "../abi/sched.js";
import { DOMID_BACKEND } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { shutDown } from "../shutdown.js";
import { isSelf, operation } from "./call.js";
import type { HypercallCall, SubOperation } from "./call.js";

const { HvmParam, Hvmop } = abi;

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

/** Those of old device models: nobody has them any more. */
const DEPRECATED: ReadonlySet<number> = new Set([HvmParam.DM_DOMAIN, HvmParam.BUFIOREQ_EVTCHN]);

/** What parameters may be, where not anything: the PM timer's places, and bytes of the x87's instruction pointer. */
const VALUES: ReadonlyMap<number, readonly number[]> = new Map([
  [HvmParam.ACPI_IOPORTS_LOCATION, [0, 1]],
  [HvmParam.X87_FIP_WIDTH, [0, 4, 8]],
]);

/** Bytes of the task state segment for real mode: its fixed part, what VM86_TSS means, and all that could be of use. */
const TSS_BYTES = 104;
const TSS_BYTES_UNSAID = 128;
const TSS_BYTES_MOST = TSS_BYTES + 0x100 / 8 + 0x1_0000 / 8 + 1;

interface Value {
  readonly valueHigh: number;
  readonly valueLow: number;
}

/**
 * The two parameters are one: an address of 32 bits, and above it a size in bytes. A segment that cannot be one crashes
 * the domain, as in Xen. Otherwise it is only kept: KVM has a segment of its own where the processor needs one.
 */
function setVm86Tss(xen: XenParts, call: HypercallCall, index: number, { valueHigh, valueLow }: Value): number {
  const sized = index === HvmParam.VM86_TSS_SIZED;
  if (sized ? valueHigh < TSS_BYTES : valueHigh !== 0) {
    shutDown(xen, call.vcpu, Shutdown.crash);
    return Errno.EINVAL;
  }
  const size = sized ? Math.min(valueHigh, TSS_BYTES_MOST) : valueLow === 0 ? 0 : TSS_BYTES_UNSAID;
  xen.domain.setParam(HvmParam.VM86_TSS_SIZED, size, valueLow);
  return 0;
}

function setParam(xen: XenParts, call: HypercallCall, index: number, value: Value): number {
  const { valueHigh, valueLow } = value;
  if (!GUEST_WRITES.has(index)) return Errno.EPERM;
  if (VALUES.get(index)?.includes(valueHigh * 0x1_0000_0000 + valueLow) === false) return Errno.EINVAL;
  if (index === HvmParam.VM86_TSS || index === HvmParam.VM86_TSS_SIZED) return setVm86Tss(xen, call, index, value);
  xen.domain.setParam(index, valueHigh, valueLow);
  if (index === HvmParam.CALLBACK_IRQ) {
    // Latch first: what waits in the bitmaps is then looked for where the guest has them.
    xen.latchLongMode(call.longMode);
    xen.delivery.setCallback(valueHigh, valueLow);
    xen.events.refreshRoutes();
  }
  return 0;
}

/** The back ends' domain has no such parameters. */
function otherDomain(domid: number): number {
  return domid === DOMID_BACKEND ? Errno.EINVAL : Errno.ESRCH;
}

export const hvmParams: readonly SubOperation[] = [
  operation({ number: Hvmop.set_param, name: "HVMOP_set_param" }, "in", abi.hvmParam, (xen, call, argument) => {
    const { domid, index } = argument;
    if (index >= abi.HVM_NR_PARAMS) return Errno.EINVAL;
    return isSelf(xen, domid) ? setParam(xen, call, index, argument) : otherDomain(domid);
  }),
  operation({ number: Hvmop.get_param, name: "HVMOP_get_param" }, "inout", abi.hvmParam, (xen, _call, argument) => {
    const { domid, index } = argument;
    if (index >= abi.HVM_NR_PARAMS) return Errno.EINVAL;
    if (!isSelf(xen, domid)) return otherDomain(domid);
    if (DEPRECATED.has(index)) return Errno.ENODATA;
    if (!GUEST_READS.has(index) && !GUEST_WRITES.has(index)) return Errno.EPERM;
    const tss = index === HvmParam.VM86_TSS;
    argument.valueHigh = tss ? 0 : xen.domain.paramHigh(index);
    argument.valueLow = xen.domain.paramLow(tss ? HvmParam.VM86_TSS_SIZED : index);
    return 0;
  }),
];
