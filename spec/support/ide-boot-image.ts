/** Disks that the guest ide-boot starts from, laid out as guests/ide-boot/layout.h says. */
import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { guestImage } from "./project.js";

const SECTOR = 512;
const COMMAND_LINE_SECTOR = 3;
const COUNTER_SECTOR = 2047;
const DATA_SECTOR = 2048;
const DATA_BYTES = 64 * SECTOR;
const CHS_BYTES = 8 * SECTOR;
const CD_BYTES = 4 * 2048;

export interface IdeBootDisk {
  readonly bytes: number;
  /** Words for the guest, see guests/ide-boot/main.c; `lba48=` comes by itself. */
  readonly commandLine?: string;
  /** Sector that holds the data a second time. */
  readonly farSector?: number;
}

/** Writes the disk to `path`, as a file with holes. */
export function writeIdeBootDisk(path: string, { bytes, commandLine = "", farSector }: IdeBootDisk): void {
  const far = farSector === undefined ? "" : ` lba48=${farSector}`;
  const fd = openSync(path, "w");
  try {
    writeSync(fd, readFileSync(guestImage("ide-boot.img")), 0, undefined, 0);
    writeSync(fd, `serial ${commandLine}${far}\0`, COMMAND_LINE_SECTOR * SECTOR);
    writeSync(fd, IDE_BOOT_DATA, 0, undefined, DATA_SECTOR * SECTOR);
    if (farSector !== undefined) writeSync(fd, IDE_BOOT_DATA, 0, undefined, farSector * SECTOR);
    ftruncateSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
}

/** How many boots the guest has written down on its disk. */
export function bootsOf(path: string): number {
  const fd = openSync(path, "r");
  try {
    const counter = Buffer.alloc(4);
    readSync(fd, counter, 0, 4, COUNTER_SECTOR * SECTOR);
    return counter.readUInt32LE();
  } finally {
    closeSync(fd);
  }
}

/** What the disk's data look like: no two sectors are alike. */
export const IDE_BOOT_DATA = pattern(DATA_BYTES, 0x1d3b);
/** A CD's image. */
export const IDE_BOOT_CD = pattern(64 * 2048, 0xcd);

/** Checksums as the guest prints them. */
export const IDE_BOOT_SUMS = {
  chs: checksum(IDE_BOOT_DATA.subarray(0, CHS_BYTES)),
  data: checksum(IDE_BOOT_DATA),
  cd: checksum(IDE_BOOT_CD.subarray(0, CD_BYTES)),
  /** The disk's data in a CD drive. */
  otherCd: checksum(IDE_BOOT_DATA.subarray(0, CD_BYTES)),
} as const;

/** Numbers of a 32-bit xorshift generator. */
function pattern(bytes: number, seed: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  let state = seed;
  for (let at = 0; at < bytes; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    buffer.writeInt32LE(state, at);
  }
  return buffer;
}

/** FNV-1a, a word at a time. */
function checksum(bytes: Buffer): string {
  let hash = 2_166_136_261;
  for (let at = 0; at < bytes.length; at += 4) hash = Math.imul(hash ^ bytes.readUInt32LE(at), 16_777_619);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
