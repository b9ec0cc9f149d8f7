/** What a Xen domain is built from, and how much shared memory that takes. */
import type { DomId } from "../shared/brand.js";
import type { E820Entry } from "../shared/layout.js";
import { FIFO_CHANNELS } from "./abi/evtchn-fifo.js";
import { E820_ENTRY_SIZE, E820_MAX_ENTRIES } from "./abi/memory.js";

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
  /** Whether the guest may switch to FIFO event channels. */
  readonly fifo: boolean;
}

/** Entries of 8 bytes in one frame of a version 1 grant table. */
export const GRANTS_PER_FRAME = 512;

/** Entries of 16 bytes in one frame of version 2, and their statuses of 2 bytes in one frame of those. */
export const GRANTS_PER_FRAME_V2 = 256;
export const STATUSES_PER_FRAME = 2048;

/** Frames of statuses that go with `frames` of entries. */
export function statusFrames(frames: number): number {
  return Math.ceil((frames * GRANTS_PER_FRAME_V2) / STATUSES_PER_FRAME);
}

/** Overlay page of shared_info; the grant table's frames follow it, and then their status frames. */
export const SHARED_INFO_PAGE = 0;
export const FIRST_GRANT_PAGE = 1;

/** The last overlay pages: for RAM that the guest puts where the machine has none (`xen/moved-frames.ts`). */
export const MOVED_PAGES = 1024;

/** Pages that the overlay buffer holds. */
export function overlayPages(config: Pick<XenConfig, "maxGrantFrames">): number {
  return FIRST_GRANT_PAGE + config.maxGrantFrames + statusFrames(config.maxGrantFrames) + MOVED_PAGES;
}

export function ramFrames(config: Pick<XenConfig, "ram">): number {
  return config.ram.reduce((sum, run) => sum + run.count, 0);
}

/** Upper bound of the shared state that the Xen half of a machine allocates, in bytes. */
export function xenArenaBytes(config: XenConfig): number {
  const fixed = 64 * 1024 + E820_MAX_ENTRIES * E820_ENTRY_SIZE;
  // Port table (20 bytes a port), and of FIFO channels queue (4), priority and pending flag (1 each). Most is never touched.
  const ports = FIFO_CHANNELS * 26;
  const grants = config.maxGrantFrames * GRANTS_PER_FRAME * 12;
  const balloon = ramFrames(config) / 8;
  return Math.ceil(fixed + ports + grants + balloon + config.maxPirqs * 16 + config.vcpus * 2048);
}
