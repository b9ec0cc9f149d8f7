/** event_channel_op. [EVTCHN] xen.git xen/include/public/event_channel.h */
import { u16, u32 } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `EVTCHNOP_*`. */
export const Evtchnop = {
  bind_interdomain: 0,
  bind_virq: 1,
  bind_pirq: 2,
  close: 3,
  send: 4,
  status: 5,
  alloc_unbound: 6,
  bind_ipi: 7,
  bind_vcpu: 8,
  unmask: 9,
  reset: 10,
  init_control: 11,
  expand_array: 12,
  set_priority: 13,
} as const;

/** `EVTCHNSTAT_*`. */
export const EvtchnStat = { closed: 0, unbound: 1, interdomain: 2, pirq: 3, virq: 4, ipi: 5 } as const;

/** BIND_PIRQ__WILL_SHARE: the guest means a level-triggered line. */
export const BIND_PIRQ_WILL_SHARE = 1;

export const allocUnbound = dualStruct("evtchn_alloc_unbound", [8, 8], () => ({
  dom: u16,
  remoteDom: u16,
  port: u32,
}));
export const bindInterdomain = dualStruct("evtchn_bind_interdomain", [12, 12], () => ({
  remoteDom: u16,
  remotePort: u32,
  localPort: u32,
}));
export const bindVirq = dualStruct("evtchn_bind_virq", [12, 12], () => ({ virq: u32, vcpu: u32, port: u32 }));
export const bindPirq = dualStruct("evtchn_bind_pirq", [12, 12], () => ({ pirq: u32, flags: u32, port: u32 }));
export const bindIpi = dualStruct("evtchn_bind_ipi", [8, 8], () => ({ vcpu: u32, port: u32 }));
export const portArgument = dualStruct("evtchn_send", [4, 4], () => ({ port: u32 }));
export const evtchnStatus = dualStruct("evtchn_status", [24, 24], () => ({
  dom: u16,
  port: u32,
  status: u32,
  vcpu: u32,
  /** First word of the union: dom (low half), pirq or virq. */
  value: u32,
  /** Second word: interdomain's port. */
  remotePort: u32,
}));
export const bindVcpu = dualStruct("evtchn_bind_vcpu", [8, 8], () => ({ port: u32, vcpu: u32 }));
export const evtchnReset = dualStruct("evtchn_reset", [2, 2], () => ({ dom: u16 }));
