/**
 * Names of Xen virtual block devices and the numbers that stand for them in xenstore.
 *
 * [VBD] xen.git docs/man/xen-vbd-interface.7.pandoc, "Concrete encoding in the VBD interface (in xenstore)"
 */

/** A device name together with the number that the guest's front end reads in `virtual-device`. */
export interface Vdev {
  readonly name: string;
  readonly number: number;
}

/** [VBD] the extended form carries 20 bits of disk and 8 of partition under bit 28. */
const EXTENDED = 2 ** 28;
const EXTENDED_DISKS = 2 ** 20;
const EXTENDED_PARTITIONS = 256;
/** [VBD] the short forms carry 4 bits of disk and 4 of partition (xvd, sd), or a Linux IDE major and 6 of partition (hd). */
const XVD_MAJOR = 202;
const SD_MAJOR = 8;
const HD_MAJORS = [3, 22] as const;
const SHORT_DISKS = 16;
const SHORT_PARTITIONS = 16;
const HD_PARTITIONS = 64;
const HD_DISKS_PER_MAJOR = 2;

/** The device that `text` names ("xvda", "xvdb3", "hda", "sdc", "d5p1"), or undefined when the interface has none so called. */
export function parseVdev(text: string): Vdev | undefined {
  const number = vdevNumber(text);
  return number === undefined ? undefined : { name: text, number };
}

/** Name of the disk with index `disk` (0..): "xvda" … "xvdz", "xvdaa" …. */
export function xvdName(disk: number): string {
  let letters = "";
  for (let rest = disk; rest >= 0; rest = Math.floor(rest / 26) - 1) {
    letters = String.fromCharCode(0x61 + (rest % 26)) + letters;
  }
  return `xvd${letters}`;
}

function vdevNumber(text: string): number | undefined {
  const plain = /^d(0|[1-9][0-9]{0,6})(?:p(0|[1-9][0-9]{0,2}))?$/.exec(text);
  if (plain !== null) return xvdNumber(Number(plain[1]), Number(plain[2] ?? 0));
  const lettered = /^(xvd|sd|hd)([a-z]{1,5})(0|[1-9][0-9]{0,2})?$/.exec(text);
  if (lettered === null) return undefined;
  const disk = diskIndex(lettered[2] ?? "");
  const partition = Number(lettered[3] ?? 0);
  switch (lettered[1]) {
    case "xvd":
      return xvdNumber(disk, partition);
    case "sd":
      return disk < SHORT_DISKS && partition < SHORT_PARTITIONS ? SD_MAJOR * 256 + disk * 16 + partition : undefined;
    default:
      return hdNumber(disk, partition);
  }
}

function xvdNumber(disk: number, partition: number): number | undefined {
  if (disk < SHORT_DISKS && partition < SHORT_PARTITIONS) return XVD_MAJOR * 256 + disk * 16 + partition;
  if (disk >= EXTENDED_DISKS || partition >= EXTENDED_PARTITIONS) return undefined;
  return EXTENDED + disk * 256 + partition;
}

function hdNumber(disk: number, partition: number): number | undefined {
  const major = HD_MAJORS[Math.floor(disk / HD_DISKS_PER_MAJOR)];
  if (major === undefined || partition >= HD_PARTITIONS) return undefined;
  return major * 256 + (disk % HD_DISKS_PER_MAJOR) * HD_PARTITIONS + partition;
}

/** "a" is 0, "z" 25, "aa" 26. */
function diskIndex(letters: string): number {
  let index = 0;
  for (let i = 0; i < letters.length; i++) index = index * 26 + (letters.charCodeAt(i) - 0x60);
  return index - 1;
}
