/** sched_op. [SCHED] xen.git xen/include/public/sched.h */
import { u16, u32 } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `SCHEDOP_*`. */
export const Schedop = {
  yield: 0,
  block: 1,
  shutdown: 2,
  poll: 3,
  remote_shutdown: 4,
  shutdown_code: 5,
  watchdog: 6,
  pin_override: 7,
} as const;

/** `SHUTDOWN_*`, by number. */
export const SHUTDOWN_REASONS = ["poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset"] as const;

/** `SHUTDOWN_*`, those that the domain shuts itself down for. */
export const Shutdown = { poweroff: 0, reboot: 1, crash: 3, watchdog: 4 } as const;

export const schedShutdown = dualStruct("sched_shutdown", [4, 4], () => ({ reason: u32 }));

export const schedPoll = dualStruct("sched_poll", [24, 16], (t) => ({
  portsLow: t.pointerLow,
  portsHigh: t.pointerHigh,
  nrPorts: u32,
  timeout: t.u64,
}));

export const schedRemoteShutdown = dualStruct("sched_remote_shutdown", [8, 8], () => ({ domainId: u16, reason: u32 }));

export const schedWatchdog = dualStruct("sched_watchdog", [8, 8], () => ({ id: u32, timeout: u32 }));
