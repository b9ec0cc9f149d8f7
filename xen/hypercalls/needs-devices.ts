/** Which hypercalls must find xenstore, consoles and PV devices there. */
import { Hvmop } from "../abi/hvm.js";
import { HypercallNumber } from "../abi/xen.js";
import type { HypercallFrame } from "./call.js";

/**
 * Whether a call has, or may have, to do with what the device actor switches on after the platform's reset. What a kernel
 * asks first, who it runs on and where its shared pages are to be, has not. Of a multicall that is not looked into.
 */
export function needsDevices(frame: Pick<HypercallFrame, "number" | "lo">): boolean {
  switch (frame.number) {
    case HypercallNumber.xen_version:
    case HypercallNumber.memory_op:
    case HypercallNumber.vcpu_op:
      return false;
    case HypercallNumber.hvm_op:
      return frame.lo(0) === Hvmop.get_param;
    default:
      return true;
  }
}
