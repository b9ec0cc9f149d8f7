/**
 * The time of day that the guest's clock chip and Xen's wall clock show: what `--rtc base=` says at power-on, going on as
 * `clock=` says.
 */
import type { ResolvedConfig } from "../shared/config.js";
import { monotonicNs } from "./machine-clock.js";
import type { MachineClock } from "./machine-clock.js";

const MINUTE_MS = 60_000;
const NS_PER_MS = 1e6;

type Rtc = ResolvedConfig["rtc"];

/** Host clock minus guest clock, in milliseconds; `now` is the moment at which a date of the configuration holds. */
export function rtcOffset(base: string, now: Date): number {
  if (base === "utc") return 0;
  // A guest that keeps its clock so puts it forward and back by itself: the zone's offset is that of the start.
  if (base === "localtime") return now.getTimezoneOffset() * MINUTE_MS;
  return now.getTime() - Date.parse(base.includes("T") ? `${base}Z` : base);
}

/** The clock that the guest's follows: its own zero is arbitrary. In milliseconds. */
function followedMs(clock: Rtc["clock"], machine: Pick<MachineClock, "nowNs">): number {
  switch (clock) {
    case "host":
      // With whatever corrects the host's.
      return Date.now();
    case "rt":
      return monotonicNs() / NS_PER_MS;
    case "vm":
      return machine.nowNs() / NS_PER_MS;
  }
}

/** What {@link wallClockMs} needs in every thread; to be made once, when the machine is, whose clock is at 0. */
export function wallClockOffset({ base, clock }: Rtc): number {
  const now = new Date();
  return followedMs(clock, { nowNs: () => 0 }) - (now.getTime() - rtcOffset(base, now));
}

/** Time of day in the guest, in milliseconds since 1970. */
export function wallClockMs({ clock }: Rtc, offsetMs: number, machine: Pick<MachineClock, "nowNs">): number {
  return followedMs(clock, machine) - offsetMs;
}
