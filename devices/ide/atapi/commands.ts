/**
 * Every command of a CD-ROM drive, by operation code: what must be true before it, and what it answers.
 *
 * [MMC] commands; [SPC] 6 commands for all device types
 */
import { getU16, getU24, getU32, putU16, putU32 } from "./big-endian.js";
import { getConfiguration } from "./configuration.js";
import type { DriveState } from "./drive-state.js";
import { BLOCK_BYTES } from "./drive-view.js";
import type { Answer } from "./drive-view.js";
import { readDvdStructure } from "./dvd-structure.js";
import { getEventStatus } from "./events.js";
import { inquiry } from "./inquiry.js";
import type { Identity } from "./inquiry.js";
import { modeSelect10, modeSelect6, modeSense10, modeSense6 } from "./mode-pages.js";
import { Sense, SenseKey, writeSense } from "./sense.js";
import type { SenseCode } from "./sense.js";
import { fromMsf, readDiscInformation, readSubChannel, readToc, readTrackInformation } from "./toc.js";

/** What a command works with. */
export interface CommandContext {
  readonly packet: Uint8Array;
  /** Zeros, as far as an answer can reach. */
  readonly target: Uint8Array;
  readonly state: DriveState;
  readonly identity: Identity;
  /** Opens or closes the tray. */
  moveTray(open: boolean): void;
}

/** Blocks of the medium that go to the guest. */
export interface BlockRange {
  readonly block: number;
  readonly count: number;
}

export type Outcome = Answer | BlockRange;

interface Command {
  /** Refused with NOT READY when there is no medium that can be read. */
  readonly needsMedium: boolean;
  /** Carried out although a unit attention condition waits, which stays. [MMC] unit attention condition */
  readonly ignoresAttention: boolean;
  /** The guest's allocation length in bytes; what is longer is cut off. */
  readonly allocation: (packet: Uint8Array) => number;
  readonly run: (context: CommandContext) => Outcome;
}

type Run = Command["run"];

/** Where the allocation length stands. */
const none = (): number => 0;
const byte4 = (packet: Uint8Array): number => packet[4] ?? 0;
const word = (at: number) => (packet: Uint8Array) => getU16(packet, at);
const fixed = (length: number) => () => length;

function always(run: Run, allocation: Command["allocation"] = none): Command {
  return { needsMedium: false, ignoresAttention: false, allocation, run };
}

function withMedium(run: Run, allocation: Command["allocation"] = none): Command {
  return { needsMedium: true, ignoresAttention: false, allocation, run };
}

function inAttention(run: Run, allocation: Command["allocation"]): Command {
  return { needsMedium: false, ignoresAttention: true, allocation, run };
}

/** In the order of the codes. What is not here is INVALID COMMAND OPERATION CODE. */
export const COMMANDS: ReadonlyMap<number, Command> = new Map([
  [0x00, withMedium(() => 0)], // TEST UNIT READY
  [0x03, inAttention(requestSense, byte4)],
  [0x12, inAttention(({ packet, target, identity }) => inquiry(packet, target, identity), word(3))],
  [0x15, always(({ packet }) => modeSelect6(packet))],
  [0x1a, always(({ packet, target, state }) => modeSense6(packet, target, state), byte4)],
  [0x1b, always(startStopUnit)],
  [0x1e, always(preventAllowMediumRemoval)],
  [0x25, withMedium(readCapacity, fixed(8))],
  [0x28, withMedium(({ packet, state }) => blocks(state, getU32(packet, 2), getU16(packet, 7)))], // READ (10)
  [0x2b, withMedium(seek)],
  [0x42, withMedium(({ packet, target }) => readSubChannel(packet, target), word(7))],
  [0x43, withMedium(({ packet, target, state }) => readToc(packet, target, state), word(7))],
  [0x46, inAttention(({ packet, target, state }) => getConfiguration(packet, target, state), word(7))],
  [0x4a, inAttention(({ packet, target, state }) => getEventStatus(packet, target, state, state), word(7))],
  [0x51, withMedium(({ packet, target }) => readDiscInformation(packet, target), word(7))],
  [0x52, withMedium(({ packet, target, state }) => readTrackInformation(packet, target, state), word(7))],
  [0x55, always(({ packet }) => modeSelect10(packet))],
  [0x5a, always(({ packet, target, state }) => modeSense10(packet, target, state), word(7))],
  [0xa8, withMedium(({ packet, state }) => blocks(state, getU32(packet, 2), getU32(packet, 6)))], // READ (12)
  [0xad, withMedium(({ packet, target, state }) => readDvdStructure(packet, target, state), word(8))],
  [0xb9, withMedium(readCdMsf)],
  [0xbb, always(() => 0)], // SET CD SPEED: an image has one
  [0xbd, always(mechanismStatus, word(8))],
  [0xbe, withMedium(readCd)],
]);

/** A unit attention condition that waits is told as sense, and gone then: [SPC] 6.27. */
function requestSense({ packet, target, state }: CommandContext): Answer {
  if (((packet[1] ?? 0) & 0x01) !== 0) return Sense.invalidField; // DESC: descriptor format
  const kept = state.sense;
  const sense = kept.key === SenseKey.none ? (state.takeAttention() ?? kept) : kept;
  state.sense = Sense.none;
  return writeSense(target, sense);
}

/** Bits of byte 4. [MMC] START STOP UNIT */
const StartStop = { start: 0x01, loadEject: 0x02, powerCondition: 0xf0 } as const;

function startStopUnit(context: CommandContext): Answer {
  const { packet, state } = context;
  const field = packet[4] ?? 0;
  // Power conditions come and go without an effect that a guest could see.
  if ((field & StartStop.powerCondition) !== 0) return 0;
  const start = (field & StartStop.start) !== 0;
  if ((field & StartStop.loadEject) === 0) return start && state.blocks === 0 ? noMedium(state) : 0;
  if (!start && state.locked && !state.trayOpen) return Sense.removalPrevented;
  context.moveTray(!start);
  return 0;
}

function preventAllowMediumRemoval({ packet, state }: CommandContext): Answer {
  // Bit 1, persistent, would also keep the eject button from being reported; ours reports itself always.
  state.locked = ((packet[4] ?? 0) & 0x01) !== 0;
  return 0;
}

function readCapacity({ target, state }: CommandContext): Answer {
  putU32(target, 0, state.blocks - 1);
  putU32(target, 4, BLOCK_BYTES);
  return 8;
}

function seek({ packet, state }: CommandContext): Answer {
  return getU32(packet, 2) < state.blocks ? 0 : Sense.outOfRange;
}

function mechanismStatus({ target, state }: CommandContext): Answer {
  target[1] = state.trayOpen ? 0x10 : 0; // door open
  target[5] = 1; // one slot, without a table
  putU16(target, 6, 0);
  return 8;
}

function readCd({ packet, state }: CommandContext): Outcome {
  return userData(packet, blocks(state, getU32(packet, 2), getU24(packet, 6)));
}

function readCdMsf({ packet, state }: CommandContext): Outcome {
  const [, , , m1 = 0, s1 = 0, f1 = 0, m2 = 0, s2 = 0, f2 = 0] = packet;
  const first = fromMsf(m1, s1, f1);
  const end = fromMsf(m2, s2, f2);
  if (end < first) return Sense.invalidField;
  return userData(packet, first < 0 ? Sense.outOfRange : blocks(state, first, end - first));
}

/** Sector types in byte 1, [MMC] READ CD, expected sector type. */
const SectorType = { any: 0, mode1: 2, mode2Form1: 4 } as const;
/** Byte 9, [MMC] READ CD, main channel selection: user data, of sync, headers, data and error codes. */
const MAIN_CHANNEL = 0xf8;
const USER_DATA = 0x10;

/**
 * What READ CD gives of `range`.
 *
 * Not modelled: sync, headers and error codes, which an image of user data does not hold, and the sub-channels.
 */
function userData(packet: Uint8Array, range: Outcome): Outcome {
  const type = ((packet[1] ?? 0) >> 2) & 7;
  const channel = (packet[9] ?? 0) & MAIN_CHANNEL;
  if ((channel !== 0 && channel !== USER_DATA) || ((packet[10] ?? 0) & 7) !== 0) return Sense.invalidField;
  if (type !== SectorType.any && type !== SectorType.mode1 && type !== SectorType.mode2Form1) {
    return Sense.illegalTrackMode;
  }
  return channel === 0 && isBlockRange(range) ? 0 : range;
}

/** Nothing for a count of 0, which is no error. [MMC] READ (10) */
function blocks(state: DriveState, block: number, count: number): Outcome {
  if (block + count > state.blocks) return Sense.outOfRange;
  return count === 0 ? 0 : { block, count };
}

export function isBlockRange(outcome: Outcome): outcome is BlockRange {
  return typeof outcome !== "number" && "block" in outcome;
}

export function noMedium({ trayOpen }: DriveState): SenseCode {
  return trayOpen ? Sense.noMediumTrayOpen : Sense.noMediumTrayClosed;
}
