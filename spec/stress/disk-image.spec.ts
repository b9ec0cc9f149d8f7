import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { checkImage, makeImage } from "../../stress/disk-image.js";
import { temporaryFolder } from "../support/temporary.js";

const SECTOR_BYTES = 512;
/** Sector 3 of disk 2, written as the fifth: [guests/stress/stamp.c], worked out by hand for its first words. */
const FIRST = 0x7374_7265_7373_2003n;
const STEP = 0x9e37_79b9_7f4a_7c15n;

function stamp(first: bigint, generation: bigint): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.writeBigUInt64LE(first, 0);
  sector.writeBigUInt64LE(generation, 8);
  let word = BigInt.asUintN(64, (first ^ (generation << 32n)) * STEP);
  for (let at = 16; at < SECTOR_BYTES; at += 8) {
    word = BigInt.asUintN(64, word + STEP);
    sector.writeBigUInt64LE(word, at);
  }
  return sector;
}

/** Sum over the 256 sectors: stamp_share() of each. */
function sumWith(generations: Readonly<Record<number, number>>): number {
  let sum = 0n;
  for (let sector = 0; sector < 256; sector++) {
    const place = (BigInt(sector) * 0x9e37_79b1n) & 0xffff_ffffn;
    const share = (BigInt(generations[sector] ?? 0) * 0x85eb_ca77n) & 0xffff_ffffn;
    sum += place ^ share;
  }
  return Number(sum & 0xffff_ffffn);
}

describe("checkImage()", () => {
  const folder = temporaryFolder();

  /** An image with `sector` as its sector 3. */
  async function image(name: string, sector: Uint8Array): Promise<string> {
    const path = folder.path(name);
    await makeImage(path);
    const bytes = readFileSync(path);
    bytes.set(sector, 3 * SECTOR_BYTES);
    writeFileSync(path, bytes);
    return path;
  }

  it("takes zeros", async () => {
    assert.deepEqual(await checkImage(await image("zeros", new Uint8Array(SECTOR_BYTES)), 2, sumWith({})), []);
  });

  it("takes a sector that the guest has written and read", async () => {
    assert.deepEqual(await checkImage(await image("written", stamp(FIRST, 5n)), 2, sumWith({ 3: 5 })), []);
  });

  it("finds a sector that the guest has read as another writing", async () => {
    const [difference = ""] = await checkImage(await image("stale", stamp(FIRST, 5n)), 2, sumWith({ 3: 6 }));
    assert.match(difference, /^disk 2's image sums up to \d+, but the guest has read \d+$/);
  });

  it("finds one wrong byte, and another sector's stamp", async () => {
    const flipped = stamp(FIRST, 5n);
    flipped[511] = (flipped[511] ?? 0) ^ 1;
    const wrong = ["sector 3 of disk 2's image has wrong bytes"];
    assert.deepEqual(await checkImage(await image("flipped", flipped), 2, 0), wrong);
    assert.deepEqual(await checkImage(await image("misplaced", stamp(FIRST + 1n, 5n)), 2, 0), wrong);
  });
});
