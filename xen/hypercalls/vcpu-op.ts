/**
 * vcpu_op: places that a vCPU registers, its timers, its runstate. [VCPU] xen.git xen/include/public/vcpu.h
 *
 * Not modelled: VCPUOP_initialise, up, down and send_nmi. HVM guests start and stop processors by INIT and SIPI.
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gfn, VcpuId } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import { VCPU_TIME_SIZE } from "../abi/shared-info.js";
import * as abi from "../abi/vcpu.js";
import { HypercallNumber } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { copyTimeArea } from "../time-area.js";
import { bareOperation, operation } from "./call.js";
import type { Hypercall, HypercallCall } from "./call.js";

const { Vcpuop } = abi;

/** Areas are kept as 32-bit frame numbers: 16 TiB. */
const MAX_AREA = 2 ** 44;

/** Guest-physical address of `length` bytes within one page that the caller can write; -1 when there is no such memory. */
function locate(xen: XenParts, call: HypercallCall, at: { high: number; low: number }, length: number): number {
  const address = call.vm.translate(at.high, at.low, true);
  if (address < 0 || address >= MAX_AREA || (address % PAGE_SIZE) + length > PAGE_SIZE) return -1;
  const frame = Math.floor(address / PAGE_SIZE) as Gfn;
  return xen.overlays.page(frame) === undefined && xen.memory.region(address, length) === undefined ? -1 : address;
}

/** The vCPU in argument 1, which the guard has checked. */
function target(call: HypercallCall): VcpuId {
  return call.lo(1) as VcpuId;
}

export const vcpuOp: Hypercall = {
  number: HypercallNumber.vcpu_op,
  name: "vcpu_op",
  pointer: 2,
  guard: (xen, call) => (xen.domain.isVcpu(call.lo(1)) ? 0 : Errno.ENOENT),
  operations: [
    bareOperation(Vcpuop.is_up, "VCPUOP_is_up", (xen, call) => (xen.domain.isUp(target(call)) ? 1 : 0)),
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
      { number: Vcpuop.register_runstate_memory_area, name: "VCPUOP_register_runstate_memory_area" },
      "in",
      abi.registerArea,
      (xen, call, argument) => {
        // A 32-bit caller's pointer is the union's low half.
        const high = call.longMode ? argument.addressHigh : 0;
        const low = argument.addressLow;
        if (high === 0 && low === 0) {
          xen.runstate.register(target(call), -1, -1);
          return 0;
        }
        const { size } = call.longMode ? abi.runstateInfo.wide : abi.runstateInfo.compat;
        const first = Math.min(size, PAGE_SIZE - (low % PAGE_SIZE));
        const at = locate(xen, call, { high, low }, first);
        if (at < 0) return Errno.EFAULT;
        let rest = -1;
        if (first < size) {
          const next = low + first;
          const nextHigh = next > 0xffff_ffff ? (high + 1) >>> 0 : high;
          rest = locate(xen, call, { high: nextHigh, low: next >>> 0 }, size - first);
          if (rest < 0) return Errno.EFAULT;
        }
        xen.runstate.register(target(call), at, rest);
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
        // VCPU_SSHOTTMR_future is not looked at: the header leaves that to us, and a late timer fires at once.
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
    operation(
      { number: Vcpuop.register_vcpu_info, name: "VCPUOP_register_vcpu_info" },
      "in",
      abi.registerVcpuInfo,
      (xen, call, argument) => {
        const vcpu = target(call);
        if (!xen.domain.moveVcpuInfo(vcpu, argument.mfn, argument.offset)) return Errno.EINVAL;
        xen.vcpuInfoMoved(vcpu);
        xen.delivery.markAll(vcpu);
        return 0;
      },
    ),
    bareOperation(Vcpuop.get_physid, "VCPUOP_get_physid", () => Errno.EINVAL),
    operation(
      { number: Vcpuop.register_vcpu_time_memory_area, name: "VCPUOP_register_vcpu_time_memory_area" },
      "in",
      abi.registerArea,
      (xen, call, argument) => {
        const vcpu = target(call);
        const high = call.longMode ? argument.addressHigh : 0;
        const low = argument.addressLow;
        let at = -1;
        if (high !== 0 || low !== 0) {
          at = locate(xen, call, { high, low }, VCPU_TIME_SIZE);
          if (at < 0) return Errno.EFAULT;
        }
        xen.domain.setTimeArea(vcpu, at);
        xen.vcpuInfoMoved(vcpu);
        if (xen.host.kernel === undefined) copyTimeArea(xen, vcpu);
        return 0;
      },
    ),
  ],
};
