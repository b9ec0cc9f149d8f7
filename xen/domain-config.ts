/** What a Xen domain is built from, and how much shared memory that takes. */
import type { DomId } from "../shared/brand.js";
import type { E820Entry } from "../shared/layout.js";
import { MAX_PORTS } from "./abi/shared-info.js";

/** A run of guest frames that are RAM. */
export interface FrameRun {
  readonly first: number;
  readonly count: number;
}

export interface XenConfig {
  /** Version that the guest is told: major << 16 | minor. */
  readonly version: number;
  readonly vcpus: number;
  readonly domid: DomId;
  /** Physical interrupts that the guest may map, `xen-evtchn-max-pirq`. */
  readonly maxPirqs: number;
  /** Grant table frames that the guest may use, `xen-gnttab-max-frames`. */
  readonly maxGrantFrames: number;
  /** The domain's UUID, 16 bytes. */
  readonly handle: Uint8Array;
  /** The memory map that the guest is given. */
  readonly memoryMap: readonly E820Entry[];
  /** RAM, in ascending order. */
  readonly ram: readonly FrameRun[];
  /** Whether there is a PV console, with its page and event channel. */
  readonly console: boolean;
}

/** Entries of 8 bytes in one frame of a version 1 grant table. */
export const GRANTS_PER_FRAME = 512;

/** Overlay page of shared_info; the grant table's frames follow it. */
export const SHARED_INFO_PAGE = 0;
export const FIRST_GRANT_PAGE = 1;

/** Pages that the overlay buffer holds. */
export function overlayPages(config: Pick<XenConfig, "maxGrantFrames">): number {
  return FIRST_GRANT_PAGE + config.maxGrantFrames;
}

export function ramFrames(config: Pick<XenConfig, "ram">): number {
  return config.ram.reduce((sum, run) => sum + run.count, 0);
}

/** Upper bound of the shared state that the Xen half of a machine allocates, in bytes. */
export function xenArenaBytes(config: XenConfig): number {
  const fixed = 64 * 1024;
  const ports = MAX_PORTS * 20;
  const grants = config.maxGrantFrames * GRANTS_PER_FRAME * 8;
  const balloon = ramFrames(config) / 8;
  return Math.ceil(fixed + ports + grants + balloon + config.maxPirqs * 16 + config.vcpus * 1024);
}
