/**
 * GET CONFIGURATION: the drive's features and the profile of the medium in it.
 *
 * [MMC] features and profiles; GET CONFIGURATION
 */
import { getU16, putU16, putU32 } from "./big-endian.js";
import { BLOCK_BYTES, mediumKind } from "./drive-view.js";
import type { Answer, DriveView } from "./drive-view.js";
import { Sense } from "./sense.js";

/** [MMC] profile list */
const Profile = { none: 0x0000, cdRom: 0x0008, dvdRom: 0x0010 } as const;
/** Which features to list: RT in byte 1. */
const Request = { all: 0, current: 1, one: 2 } as const;
const HEADER = 8;

interface Feature {
  readonly code: number;
  readonly version: number;
  /** Always current. */
  readonly persistent: boolean;
  readonly current: (drive: DriveView) => boolean;
  readonly bytes: (drive: DriveView) => readonly number[];
}

const always = (): boolean => true;
const nothing = (): readonly number[] => [];

/** In the order of their codes. [MMC] feature list */
const FEATURES: readonly Feature[] = [
  {
    // Profile list, the preferred first.
    code: 0x0000,
    version: 0,
    persistent: true,
    current: always,
    bytes: (drive) =>
      [Profile.dvdRom, Profile.cdRom].flatMap((profile) => [
        profile >> 8,
        profile & 0xff,
        profile === currentProfile(drive) ? 1 : 0,
        0,
      ]),
  },
  // Core: ATAPI, device busy events.
  { code: 0x0001, version: 2, persistent: true, current: always, bytes: () => [0, 0, 0, 2, 1, 0, 0, 0] },
  // Morphing: operational change events are polled.
  { code: 0x0002, version: 1, persistent: true, current: always, bytes: () => [0x02, 0, 0, 0] },
  // Removable medium: a tray that ejects and locks.
  { code: 0x0003, version: 0, persistent: true, current: always, bytes: () => [0x29, 0, 0, 0] },
  // Random readable: blocks of 2048, one at a time.
  {
    code: 0x0010,
    version: 0,
    persistent: false,
    current: (drive) => mediumKind(drive) !== "none",
    bytes: () => [0, 0, BLOCK_BYTES >> 8, BLOCK_BYTES & 0xff, 0, 1, 0, 0],
  },
  // CD read.
  {
    code: 0x001e,
    version: 2,
    persistent: false,
    current: (drive) => mediumKind(drive) === "cd",
    bytes: () => [0, 0, 0, 0],
  },
  // DVD read.
  { code: 0x001f, version: 0, persistent: false, current: (drive) => mediumKind(drive) === "dvd", bytes: nothing },
];

export function getConfiguration(packet: Uint8Array, target: Uint8Array, drive: DriveView): Answer {
  const request = (packet[1] ?? 0) & 0x03;
  const start = getU16(packet, 2);
  if (request > Request.one) return Sense.invalidField;
  let at = HEADER;
  for (const feature of FEATURES) {
    const current = feature.current(drive);
    if (request === Request.one ? feature.code !== start : feature.code < start) continue;
    if (request === Request.current && !current) continue;
    const values = feature.bytes(drive);
    putU16(target, at, feature.code);
    target[at + 2] = (feature.version << 2) | (feature.persistent ? 2 : 0) | (current ? 1 : 0);
    target[at + 3] = values.length;
    target.set(values, at + 4);
    at += 4 + values.length;
  }
  putU32(target, 0, at - 4);
  putU16(target, 6, currentProfile(drive));
  return at;
}

function currentProfile(drive: DriveView): number {
  return { none: Profile.none, cd: Profile.cdRom, dvd: Profile.dvdRom }[mediumKind(drive)];
}
