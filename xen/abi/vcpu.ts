/** vcpu_op. [VCPU] xen.git xen/include/public/vcpu.h */
import { i32, u32 } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `VCPUOP_*`. */
export const Vcpuop = {
  initialise: 0,
  up: 1,
  down: 2,
  is_up: 3,
  get_runstate_info: 4,
  register_runstate_memory_area: 5,
  set_periodic_timer: 6,
  stop_periodic_timer: 7,
  set_singleshot_timer: 8,
  stop_singleshot_timer: 9,
  register_vcpu_info: 10,
  send_nmi: 11,
  get_physid: 12,
  register_vcpu_time_memory_area: 13,
  /** Since Xen 4.18. */
  register_runstate_phys_area: 14,
  register_vcpu_time_phys_area: 15,
} as const;

/** `RUNSTATE_*`. */
export const RunstateKind = { running: 0, runnable: 1, blocked: 2, offline: 3 } as const;

/** struct vcpu_runstate_info; the four times are fields of their own. */
export const runstateInfo = dualStruct("vcpu_runstate_info", [48, 44], (t) => ({
  state: i32,
  stateEntryTime: t.u64,
  running: t.u64,
  runnable: t.u64,
  blocked: t.u64,
  offline: t.u64,
}));

export type RunstateInfoView = ReturnType<typeof runstateInfo.wide.view>;

/** Registration of a runstate or time area: a union of a pointer and a uint64_t. */
export const registerArea = dualStruct("vcpu_register_runstate_memory_area", [8, 8], (t) => ({
  addressLow: t.u64lo,
  addressHigh: u32,
}));

export const setPeriodicTimer = dualStruct("vcpu_set_periodic_timer", [8, 8], (t) => ({ periodNs: t.u64 }));

export const setSingleshotTimer = dualStruct("vcpu_set_singleshot_timer", [16, 12], (t) => ({
  timeoutAbsNs: t.u64,
  flags: u32,
}));

export const registerVcpuInfo = dualStruct("vcpu_register_vcpu_info", [16, 16], (t) => ({
  mfn: t.u64,
  offset: u32,
  rsvd: u32,
}));
