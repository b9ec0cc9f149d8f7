/** vcpu_op's registrations: vcpu_info, and where a guest reads a vCPU's runstate and time. [VCPU] xen.git xen/include/public/vcpu.h */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gfn, VcpuId } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import { VCPU_TIME_SIZE } from "../abi/shared-info.js";
import * as abi from "../abi/vcpu.js";
import type { XenParts } from "../parts.js";
import { copyTimeArea } from "../time-area.js";
import { carried, operation } from "./call.js";
import type { HypercallCall, SubOperation } from "./call.js";

const { Vcpuop } = abi;

/** Areas are kept as 32-bit frame numbers: 16 TiB. */
const MAX_AREA = 2 ** 44;
const ALL_ONES = 0xffff_ffff;
const NOWHERE = -1;

/** The vCPU in argument 1, which the guard has checked. */
export function target(call: HypercallCall): VcpuId {
  return call.lo(1) as VcpuId;
}

function isMemory(xen: XenParts, address: number, length: number): boolean {
  const frame = Math.floor(address / PAGE_SIZE) as Gfn;
  return xen.overlays.page(frame) !== undefined || xen.memory.region(address, length) !== undefined;
}

/** Guest-physical address of `length` bytes within one page that the caller can write; -1 when there is no such memory. */
function locate(xen: XenParts, call: HypercallCall, at: { high: number; low: number }, length: number): number {
  const address = call.vm.translate(at.high, at.low, true);
  if (address < 0 || address >= MAX_AREA || (address % PAGE_SIZE) + length > PAGE_SIZE) return NOWHERE;
  return isMemory(xen, address, length) ? address : NOWHERE;
}

/** A guest-physical address that the caller gives for `length` bytes: -1 for none, or an error. */
function physicalArea(
  xen: XenParts,
  { addressHigh, addressLow }: { readonly addressHigh: number; readonly addressLow: number },
  length: number,
): { readonly at: number } | { readonly error: number } {
  if (addressHigh === ALL_ONES && addressLow === ALL_ONES) return { at: NOWHERE };
  const at = addressHigh * 0x1_0000_0000 + addressLow;
  const crosses = (addressLow % PAGE_SIZE) + length > PAGE_SIZE;
  if (crosses || addressLow % (xen.domain.longMode ? 8 : 4) !== 0) return { error: Errno.ENXIO };
  return at < MAX_AREA && isMemory(xen, at, length) ? { at } : { error: Errno.EINVAL };
}

function setTimeArea(xen: XenParts, vcpu: VcpuId, at: number): number {
  xen.domain.setTimeArea(vcpu, at);
  xen.vcpuInfoMoved(vcpu);
  if (xen.host.kernel === undefined) copyTimeArea(xen, vcpu);
  return 0;
}

export const vcpuAreas: readonly SubOperation[] = [
  operation(
    { number: Vcpuop.register_runstate_memory_area, name: "VCPUOP_register_runstate_memory_area" },
    "in",
    abi.registerArea,
    (xen, call, argument) => {
      // A 32-bit caller's pointer is the union's low half.
      const high = call.longMode ? argument.addressHigh : 0;
      const low = argument.addressLow;
      if (high === 0 && low === 0) {
        xen.runstate.register(target(call), NOWHERE, NOWHERE);
        return 0;
      }
      const { size } = call.longMode ? abi.runstateInfo.wide : abi.runstateInfo.compat;
      const first = Math.min(size, PAGE_SIZE - (low % PAGE_SIZE));
      const at = locate(xen, call, { high, low }, first);
      if (at < 0) return Errno.EFAULT;
      let rest = NOWHERE;
      if (first < size) {
        const next = low + first;
        rest = locate(xen, call, { high: carried(high, next), low: next >>> 0 }, size - first);
        if (rest < 0) return Errno.EFAULT;
      }
      xen.runstate.register(target(call), at, rest);
      return 0;
    },
  ),
  operation(
    { number: Vcpuop.register_vcpu_info, name: "VCPUOP_register_vcpu_info" },
    "in",
    abi.registerVcpuInfo,
    (xen, call, argument) => {
      const vcpu = target(call);
      // For itself, or for one that cannot be using the old place now. A kernel finds the others in the last halt of the
      // firmware, or of the kernel that has started it by kexec, and panics when it is refused. What that kernel left
      // running is none of the new one's either; Xen would refuse those.
      if (vcpu !== call.vcpu) {
        xen.host.settleVcpu(call.vcpu, vcpu);
        if (xen.vcpuStates.runs(vcpu) && !xen.vcpuStates.takeLeftOver(vcpu)) return Errno.EINVAL;
      }
      if (!xen.domain.moveVcpuInfo(vcpu, argument.mfn, argument.offset)) return Errno.EINVAL;
      xen.vcpuInfoMoved(vcpu);
      xen.delivery.markAll(vcpu);
      return 0;
    },
  ),
  operation(
    { number: Vcpuop.register_vcpu_time_memory_area, name: "VCPUOP_register_vcpu_time_memory_area" },
    "in",
    abi.registerArea,
    (xen, call, argument) => {
      const high = call.longMode ? argument.addressHigh : 0;
      const low = argument.addressLow;
      const at = high === 0 && low === 0 ? NOWHERE : locate(xen, call, { high, low }, VCPU_TIME_SIZE);
      if (at < 0 && (high !== 0 || low !== 0)) return Errno.EFAULT;
      return setTimeArea(xen, target(call), at);
    },
  ),
  // A vCPU has one area of each kind here: a physical one takes the place of a virtual one. Xen would fill both.
  operation(
    { number: Vcpuop.register_runstate_phys_area, name: "VCPUOP_register_runstate_phys_area" },
    "in",
    abi.registerArea,
    (xen, call, argument) => {
      const { size } = xen.domain.longMode ? abi.runstateInfo.wide : abi.runstateInfo.compat;
      const area = physicalArea(xen, argument, size);
      if ("error" in area) return area.error;
      xen.runstate.register(target(call), area.at, NOWHERE);
      return 0;
    },
  ),
  operation(
    { number: Vcpuop.register_vcpu_time_phys_area, name: "VCPUOP_register_vcpu_time_phys_area" },
    "in",
    abi.registerArea,
    (xen, call, argument) => {
      const area = physicalArea(xen, argument, VCPU_TIME_SIZE);
      return "error" in area ? area.error : setTimeArea(xen, target(call), area.at);
    },
  ),
];
