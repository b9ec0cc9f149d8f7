/**
 * KVM memory slots of a machine: RAM blocks first, what a firmware boot adds, Xen's special pages, then overlay pages that
 * have no RAM behind.
 */
export const MemorySlot = {
  /** With firmware, the first ends where video memory begins. */
  ram: (block: number): number => block,
  /** The ROM below 4 GiB: the firmware's, or one page where there is none. */
  rom: 481,
  /** Firmware boots: RAM from 1 MiB on, and the segments below. */
  aboveOneMib: 480,
  pam: (segment: number): number => 482 + segment,
  /** There for a moment only, so that its going empties the processors' caches of translations. */
  passing: 499,
  special: 500,
  overlay: (page: number): number => 501 + page,
} as const;
