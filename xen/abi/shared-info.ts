/**
 * The pages that guest and hypervisor share: shared_info, vcpu_info, the wallclock. Offsets in bytes.
 *
 * [XEN] xen.git xen/include/public/xen.h (struct shared_info, vcpu_info, vcpu_time_info); arch-x86/xen.h
 * Bit `p` of a bitmap lies in 32-bit word `p >> 5` in both layouts, as x86 is little-endian; only the places differ.
 */
import { struct, u32, u8, bytes, u64 } from "../../shared/struct.js";

/** sizeof(struct vcpu_info), both layouts. */
export const VCPU_INFO_SIZE = 64;
/** evtchn_upcall_pending, a byte the guest clears. */
export const UPCALL_PENDING = 0;
/** vcpu_info.time, both layouts. */
export const VCPU_INFO_TIME = 32;
/** sizeof(struct vcpu_time_info). */
export const VCPU_TIME_SIZE = 32;

/** What differs between shared_info as a 64-bit and as a 32-bit guest sees it. */
export interface SharedInfoLayout {
  /** evtchn_pending_sel in struct vcpu_info. */
  readonly pendingSelector: number;
  /** Ports that one selector bit covers, as a shift: 64 or 32. */
  readonly selectorShift: number;
  readonly pending: number;
  readonly mask: number;
  /** Ports that exist. */
  readonly maxPorts: number;
  readonly wallclockVersion: number;
  readonly wallclockSeconds: number;
  readonly wallclockNanoseconds: number;
  readonly wallclockSecondsHigh: number;
}

export const SHARED_INFO_64: SharedInfoLayout = {
  pendingSelector: 8,
  selectorShift: 6,
  pending: 0x800,
  mask: 0xa00,
  maxPorts: 4096,
  wallclockVersion: 0xc00,
  wallclockSeconds: 0xc04,
  wallclockNanoseconds: 0xc08,
  wallclockSecondsHigh: 0xc0c,
};

export const SHARED_INFO_32: SharedInfoLayout = {
  pendingSelector: 4,
  selectorShift: 5,
  pending: 0x800,
  mask: 0x880,
  maxPorts: 1024,
  wallclockVersion: 0x900,
  wallclockSeconds: 0x904,
  wallclockNanoseconds: 0x908,
  wallclockSecondsHigh: 0x924,
};

/** Ports of the larger layout: what tables are sized for. */
export const MAX_PORTS = SHARED_INFO_64.maxPorts;

/** XEN_PVCLOCK_TSC_STABLE_BIT of vcpu_time_info.flags. */
export const PVCLOCK_TSC_STABLE = 1 << 0;

/** struct vcpu_time_info, both layouts. */
export const vcpuTimeInfo = struct("vcpu_time_info", 32, () => ({
  version: u32,
  pad0: u32,
  tscTimestamp: u64,
  systemTime: u64,
  tscToSystemMul: u32,
  tscShift: u8,
  flags: u8,
  pad1: bytes(2),
}));
