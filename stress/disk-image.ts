/** The disks of a stress run: images of zeros at first, and what must be in them at the end. */
import { open, readFile } from "node:fs/promises";

/** Sectors that the guest writes: `STAMP_AREA` of guests/stress/stamp.h. */
const AREA_SECTORS = 256;
const SECTOR_BYTES = 512;
const IMAGE_BYTES = 1024 * 1024;
/** First word, "stress" above the disk and the sector; each further word is STEP more: guests/stress/stamp.c. */
const FIRST_WORD = 0x7374_7265_7373_0000n;
const STEP = 0x9e37_79b9_7f4a_7c15n;
const SECTOR_FACTOR = 0x9e37_79b1;
const GENERATION_FACTOR = 0x85eb_ca77;

export async function makeImage(path: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.truncate(IMAGE_BYTES);
}

/** What the guest said of the disk whose stamps have the number `disk`, against its image: a line for each difference. */
export async function checkImage(path: string, disk: number, sum: number): Promise<readonly string[]> {
  const image = await readFile(path);
  const words = new BigUint64Array(image.buffer, image.byteOffset, (AREA_SECTORS * SECTOR_BYTES) / 8);
  const wrong: string[] = [];
  let found = 0;
  for (let sector = 0; sector < AREA_SECTORS; sector++) {
    const generation = readStamp(
      words.subarray(sector * (SECTOR_BYTES / 8), (sector + 1) * (SECTOR_BYTES / 8)),
      disk,
      sector,
    );
    if (generation === undefined) wrong.push(`sector ${sector} of disk ${disk}'s image has wrong bytes`);
    found = (found + (Math.imul(sector, SECTOR_FACTOR) ^ Math.imul(generation ?? 0, GENERATION_FACTOR))) >>> 0;
  }
  if (wrong.length === 0 && found !== sum)
    wrong.push(`disk ${disk}'s image sums up to ${found}, but the guest has read ${sum}`);
  return wrong;
}

/** Number of the write that a sector is of; 0 for zeros, undefined when it is neither. */
function readStamp(words: BigUint64Array, disk: number, sector: number): number | undefined {
  const [first = 0n, generation = 0n] = words;
  if (words.every((word) => word === 0n)) return 0;
  if (first !== (FIRST_WORD | BigInt((disk << 12) | sector))) return undefined;
  const start = BigInt.asUintN(64, (first ^ (generation << 32n)) * STEP);
  for (let index = 2; index < words.length; index++) {
    if (words[index] !== BigInt.asUintN(64, start + STEP * BigInt(index - 1))) return undefined;
  }
  return generation > 0n && generation <= 0xffff_ffffn ? Number(generation) : undefined;
}
