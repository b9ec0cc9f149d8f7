/**
 * Names of virtual disks and the numbers that stand for them in xenstore.
 *
 * [VBD] xen.git docs/man/xen-vbd-interface.7.pandoc
 */
import { unreachable } from "../../shared/errors.js";

/** A disk, or one partition of it. */
export interface Vdev {
  /** What `virtual-device` and the device's directory are called. */
  readonly number: number;
  /** The shortest usual name: "xvda", "hdc1". */
  readonly name: string;
}

type Family = "xvd" | "hd" | "sd";

/** [VBD]: disks and partitions that each way to write a number has room for. Partition 0 is the whole disk. */
const XVD_MAJOR = 202;
const SD_MAJOR = 8;
const HD_MAJORS = [3, 22] as const;
const EXTENDED = 2 ** 28;
const LIMITS: Readonly<Record<Family, { readonly disks: number; readonly partitions: number }>> = {
  xvd: { disks: 1 << 20, partitions: 256 },
  hd: { disks: 4, partitions: 64 },
  sd: { disks: 16, partitions: 16 },
};

/** No legal name is longer: "d1048575p255". */
const MAX_NAME = 12;
const LETTERED = /^(xvd|hd|sd)([a-z]{1,5})([1-9][0-9]{0,2})?$/;
const NUMBERED = /^d(0|[1-9][0-9]{0,6})(?:p(0|[1-9][0-9]{0,2}))?$/;

/** The disk that `text` names ("xvda", "hdc1", "d5p2"), or undefined when it names none. */
export function parseVdev(text: string): Vdev | undefined {
  if (text.length > MAX_NAME) return undefined;
  const lettered = LETTERED.exec(text);
  if (lettered !== null) {
    const [, family = "", letters = "", partition = "0"] = lettered;
    return vdev(family as Family, diskOf(letters), Number(partition));
  }
  const [, disk, partition = "0"] = NUMBERED.exec(text) ?? [];
  return disk === undefined ? undefined : vdev("xvd", Number(disk), Number(partition));
}

function vdev(family: Family, disk: number, partition: number): Vdev | undefined {
  const limits = LIMITS[family];
  if (disk >= limits.disks || partition >= limits.partitions) return undefined;
  const name = `${family}${lettersOf(disk)}${partition === 0 ? "" : partition}`;
  switch (family) {
    case "xvd":
      return { number: xvdNumber(disk, partition), name };
    case "hd":
      return { number: (HD_MAJORS[disk < 2 ? 0 : 1] << 8) | ((disk % 2) << 6) | partition, name };
    case "sd":
      return { number: (SD_MAJOR << 8) | (disk << 4) | partition, name };
    default:
      return unreachable(family);
  }
}

/** [VBD]: the old form while both parts fit into four bits, else the extended one. */
function xvdNumber(disk: number, partition: number): number {
  return disk < 16 && partition < 16 ? (XVD_MAJOR << 8) | (disk << 4) | partition : EXTENDED | (disk << 8) | partition;
}

/** a = 0, z = 25, aa = 26: digits of base 26 without a zero. */
function diskOf(letters: string): number {
  let disk = 0;
  for (const letter of letters) disk = disk * 26 + (letter.charCodeAt(0) - 96);
  return disk - 1;
}

function lettersOf(disk: number): string {
  let letters = "";
  for (let rest = disk + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(97 + ((rest - 1) % 26)) + letters;
  }
  return letters;
}
