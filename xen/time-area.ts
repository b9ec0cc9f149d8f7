/**
 * The second place of a vCPU's time, which a guest may map to its user space (VCPUOP_register_vcpu_time_memory_area); and
 * what becomes of the first one over a pause and a soft reset.
 *
 * [XEN] xen.git xen/include/public/xen.h, struct vcpu_time_info; [VCPU] vcpu.h
 *
 * KVM keeps it on the kernel transport. Otherwise it is a copy of the record in vcpu_info, which the host keeps, made now
 * and whenever asked; without the "TSC stable" flag, as nobody updates it between: Linux then does without.
 */
import { PAGE_SIZE } from "../shared/brand.js";
import type { Gfn, VcpuId } from "../shared/brand.js";
import type { GuestMemory } from "../shared/memory.js";
import { PVCLOCK_TSC_STABLE, VCPU_INFO_SIZE, VCPU_INFO_TIME, VCPU_TIME_SIZE, vcpuTimeInfo } from "./abi/shared-info.js";
import { XEN_LEGACY_MAX_VCPUS } from "./abi/xen.js";
import type { DomainState } from "./domain.js";
import type { Overlays } from "./overlays.js";

export interface TimeAreaParts {
  readonly domain: DomainState;
  readonly memory: GuestMemory;
  readonly overlays: Overlays;
}

/** Copies the time of `vcpu` to its registered area, if it has one. */
export function copyTimeArea(parts: TimeAreaParts, vcpu: VcpuId): void {
  const { domain, memory, overlays } = parts;
  const at = domain.timeAreaGpa(vcpu);
  const info = domain.vcpuInfo(vcpu);
  if (at < 0 || info === undefined) return;
  const from = domain.vcpuInfoOffset + VCPU_INFO_TIME;
  const frame = Math.floor(at / PAGE_SIZE) as Gfn;
  const area = overlays.page(frame) ?? memory.region(at, VCPU_TIME_SIZE);
  if (area === undefined) return;
  const to = at - area.gpa;
  const version = area.view.getUint32(to, true);
  // Odd while the rest changes.
  area.view.setUint32(to, (version | 1) >>> 0, true);
  const { pad0, flags } = vcpuTimeInfo.offsets;
  for (let i: number = pad0; i < VCPU_TIME_SIZE; i++) {
    const value = info.bytes[from + i] ?? 0;
    area.bytes[to + i] = i === flags ? value & ~PVCLOCK_TSC_STABLE : value;
  }
  area.view.setUint32(to, ((version | 1) + 1) >>> 0, true);
}

/**
 * After a pause that the guest's clock is not to show: the host writes the time of `vcpu` anew only as that goes on, when
 * the copy has been made. `ns` is how far the clock is set back.
 */
export function moveTimeBack(parts: TimeAreaParts, vcpu: VcpuId, ns: number): void {
  const info = parts.domain.vcpuInfo(vcpu);
  if (info === undefined) return;
  const at = parts.domain.vcpuInfoOffset + VCPU_INFO_TIME;
  const version = info.view.getUint32(at, true);
  // Nobody has written it yet.
  if (version === 0) return;
  info.view.setUint32(at, (version | 1) >>> 0, true);
  const systemTime = at + vcpuTimeInfo.offsets.systemTime;
  info.view.setBigUint64(systemTime, info.view.getBigUint64(systemTime, true) - BigInt(ns), true);
  info.view.setUint32(at, ((version | 1) + 1) >>> 0, true);
  copyTimeArea(parts, vcpu);
}

/**
 * For a soft reset: the time of each vCPU, and what puts it into the new shared_info. There it stays, as in Xen, for vCPUs
 * that do not run again: Linux takes the TSC's speed from the first one's, wherever it runs itself, and divides by it.
 */
export function keepTimes({ domain }: Pick<TimeAreaParts, "domain">): () => void {
  const times = Array.from({ length: Math.min(domain.vcpus, XEN_LEGACY_MAX_VCPUS) }, (_, vcpu) => {
    const info = domain.vcpuInfo(vcpu as VcpuId);
    const at = domain.vcpuInfoOffset + VCPU_INFO_TIME;
    return info?.bytes.slice(at, at + VCPU_TIME_SIZE);
  });
  return () => {
    for (const [vcpu, time] of times.entries()) {
      if (time !== undefined) domain.sharedInfo.bytes.set(time, vcpu * VCPU_INFO_SIZE + VCPU_INFO_TIME);
    }
  };
}
