/**
 * The wallclock in shared_info: the time of day, as seconds since 1970, at which the guest's system time was zero.
 *
 * [XEN] xen.git xen/include/public/xen.h, struct shared_info (wc_version, wc_sec, wc_nsec) and vcpu_time_info's protocol:
 * the version is odd while the rest changes, and the guest reads again until it sees the same even one twice.
 */
import type { MemoryRegion } from "../shared/memory.js";
import type { SharedInfoLayout } from "./abi/shared-info.js";
import type { XenHost } from "./host.js";

export type WallclockHost = Pick<XenHost, "wallTimeNs" | "systemTimeNs">;

const NS_PER_SECOND = 1e9;

/** Writes the wallclock where `layout` has it. KVM does it itself on the kernel transport. */
export function writeWallclock(sharedInfo: MemoryRegion, layout: SharedInfoLayout, host: WallclockHost): void {
  // A difference of two large doubles: exact to 256 ns until 2262, far below what a wallclock promises.
  const start = Math.max(0, host.wallTimeNs() - host.systemTimeNs());
  const seconds = Math.floor(start / NS_PER_SECOND);
  const { words } = sharedInfo;
  const version = Atomics.load(words, layout.wallclockVersion >>> 2);
  Atomics.store(words, layout.wallclockVersion >>> 2, version | 1);
  Atomics.store(words, layout.wallclockSeconds >>> 2, seconds | 0);
  Atomics.store(words, layout.wallclockSecondsHigh >>> 2, Math.floor(seconds / 0x1_0000_0000) | 0);
  Atomics.store(words, layout.wallclockNanoseconds >>> 2, Math.floor(start % NS_PER_SECOND));
  Atomics.store(words, layout.wallclockVersion >>> 2, ((version | 1) + 1) | 0);
}
