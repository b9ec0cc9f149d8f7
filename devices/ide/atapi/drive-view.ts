/** What the commands' answers are made from: the drive as it is at the moment. */
import type { SenseCode } from "./sense.js";

/** Bytes of a block: Mode 1 and DVD user data. */
export const BLOCK_BYTES = 2048;
/** Blocks of an 80-minute CD, at 75 a second; what is larger shows itself as a DVD. */
export const CD_BLOCKS = 80 * 60 * 75;

export interface DriveView {
  /** Blocks of the medium, 0 when there is none or the tray is open. */
  readonly blocks: number;
  readonly trayOpen: boolean;
  /** The guest has prevented the medium's removal. */
  readonly locked: boolean;
}

/** Length in bytes of what was written to the target, or why there is none. */
export type Answer = number | SenseCode;

/** The medium in the drive as [MMC] has profiles for it. */
export function mediumKind({ blocks }: DriveView): "none" | "cd" | "dvd" {
  if (blocks === 0) return "none";
  return blocks <= CD_BLOCKS ? "cd" : "dvd";
}
