/** The FIFO event-channel ABI. [EVTCHN] xen.git xen/include/public/event_channel.h, "FIFO ABI" */
import { bytes, u32, u8 } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** EVTCHN_FIFO_LINK_BITS, and the ports that so many bits can name. */
export const FIFO_LINK_BITS = 17;
export const FIFO_CHANNELS = 1 << FIFO_LINK_BITS;

/** EVTCHN_FIFO_PRIORITY_*: 0 is served first. */
export const Priority = { max: 0, default: 7, min: 15 } as const;

/** Bits of an event word. */
export const EventWord = {
  pending: 1 << 31,
  masked: 1 << 30,
  linked: 1 << 29,
  busy: 1 << 28,
  linkMask: FIFO_CHANNELS - 1,
} as const;

/** struct evtchn_fifo_control_block: its size and alignment in bytes, its fields in 32-bit words. */
export const ControlBlock = { size: 72, alignment: 8, ready: 0, head: 2 } as const;

export const initControl = dualStruct("evtchn_init_control", [24, 24], ({ u64 }) => ({
  controlGfn: u64,
  offset: u32,
  vcpu: u32,
  linkBits: u8,
  pad: bytes(7),
}));
export const expandArray = dualStruct("evtchn_expand_array", [8, 8], ({ u64 }) => ({ arrayGfn: u64 }));
export const setPriority = dualStruct("evtchn_set_priority", [8, 8], () => ({ port: u32, priority: u32 }));
