/**
 * vcpu_op: starting and stopping vCPUs, their timers, their runstate, places that they register.
 *
 * [VCPU] xen.git xen/include/public/vcpu.h; [HVMVCPU] hvm/hvm_vcpu.h
 */
import type { VcpuId } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import { vcpuHvmContext } from "../abi/hvm-vcpu.js";
import { Shutdown } from "../abi/sched.js";
import * as abi from "../abi/vcpu.js";
import { HypercallNumber } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { shutDown } from "../shutdown.js";
import { decodeContext } from "../vcpu-context.js";
import type { StoredContext } from "../vcpu-context.js";
import { bareOperation, operation } from "./call.js";
import type { Hypercall, HypercallCall } from "./call.js";
import { target, vcpuAreas } from "./vcpu-areas.js";

const { Vcpuop } = abi;

/** The vCPU that is meant, once its thread has taken note of INIT and SIPI, and done what was asked of it before. */
function settled(xen: XenParts, call: HypercallCall): VcpuId {
  const vcpu = target(call);
  if (vcpu !== call.vcpu) xen.host.settleVcpu(call.vcpu, vcpu);
  return vcpu;
}

function initialise(xen: XenParts, call: HypercallCall, context: StoredContext): number {
  // Without a vcpu_info it could not be told of events.
  if (xen.domain.vcpuInfo(target(call)) === undefined) return Errno.EINVAL;
  const vcpu = settled(xen, call);
  if (xen.vcpuStates.isInitialised(vcpu)) return Errno.EEXIST;
  if (decodeContext(context) === undefined) return Errno.EINVAL;
  if (!xen.vcpuStates.initialise(vcpu, context)) return Errno.EEXIST;
  // From now on a SIPI without INIT must not start it.
  settled(xen, call);
  return 0;
}

function bringUp(xen: XenParts, call: HypercallCall): number {
  const vcpu = settled(xen, call);
  if (!xen.vcpuStates.isInitialised(vcpu)) return Errno.EINVAL;
  if (xen.vcpuStates.bringUp(vcpu)) xen.host.vcpuPowerChanged(vcpu);
  return 0;
}

/** The last vCPU that goes down takes the machine with it. */
function takeDown(xen: XenParts, call: HypercallCall): number {
  const vcpu = target(call);
  for (let other = 0; other < xen.config.vcpus; other++) {
    if (other !== call.vcpu) xen.host.settleVcpu(call.vcpu, other as VcpuId);
  }
  if (xen.vcpuStates.isAlone(vcpu)) {
    shutDown(xen, call.vcpu, Shutdown.poweroff);
  } else if (xen.vcpuStates.takeDown(vcpu)) {
    xen.host.vcpuPowerChanged(vcpu);
    settled(xen, call);
  }
  return 0;
}

function sendNmi(xen: XenParts, call: HypercallCall): number {
  if (!call.isNull(2)) return Errno.EINVAL;
  xen.host.injectNmi(target(call));
  return 0;
}

export const vcpuOp: Hypercall = {
  number: HypercallNumber.vcpu_op,
  name: "vcpu_op",
  pointer: 2,
  guard: (xen, call) => (xen.domain.isVcpu(call.lo(1)) ? 0 : Errno.ENOENT),
  operations: [
    operation({ number: Vcpuop.initialise, name: "VCPUOP_initialise" }, "in", vcpuHvmContext, initialise),
    bareOperation(Vcpuop.up, "VCPUOP_up", bringUp),
    bareOperation(Vcpuop.down, "VCPUOP_down", takeDown),
    bareOperation(Vcpuop.is_up, "VCPUOP_is_up", (xen, call) => (xen.vcpuStates.isUp(settled(xen, call)) ? 1 : 0)),
    operation(
      { number: Vcpuop.get_runstate_info, name: "VCPUOP_get_runstate_info" },
      "out",
      abi.runstateInfo,
      (xen, call, argument) => {
        xen.runstate.read(target(call), argument);
        return 0;
      },
    ),
    operation(
      { number: Vcpuop.set_periodic_timer, name: "VCPUOP_set_periodic_timer" },
      "in",
      abi.setPeriodicTimer,
      (xen, call, argument) => xen.timers.setPeriodic(target(call), argument.periodNs),
    ),
    bareOperation(Vcpuop.stop_periodic_timer, "VCPUOP_stop_periodic_timer", (xen, call) => {
      xen.timers.stopPeriodic(target(call));
      return 0;
    }),
    operation(
      { number: Vcpuop.set_singleshot_timer, name: "VCPUOP_set_singleshot_timer" },
      "in",
      abi.setSingleshotTimer,
      (xen, call, argument) => {
        // VCPU_SSHOTTMR_future is not looked at, as in Xen since 4.18: a late timer fires at once.
        if (target(call) !== call.vcpu) return Errno.EINVAL;
        xen.timers.setSingleshot(call.vcpu, argument.timeoutAbsNs);
        return 0;
      },
    ),
    bareOperation(Vcpuop.stop_singleshot_timer, "VCPUOP_stop_singleshot_timer", (xen, call) => {
      if (target(call) !== call.vcpu) return Errno.EINVAL;
      xen.timers.stopSingleshot(call.vcpu);
      return 0;
    }),
    bareOperation(Vcpuop.send_nmi, "VCPUOP_send_nmi", sendNmi),
    bareOperation(Vcpuop.get_physid, "VCPUOP_get_physid", () => Errno.EINVAL),
    ...vcpuAreas,
  ],
};
