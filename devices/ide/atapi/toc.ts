/**
 * One data track that fills the disc: READ TOC, READ SUB-CHANNEL, READ DISC INFORMATION, READ TRACK INFORMATION.
 *
 * [MMC] the commands of these names
 */
import { getU32, putU16, putU32 } from "./big-endian.js";
import type { Answer, DriveView } from "./drive-view.js";
import { Sense } from "./sense.js";

const FRAMES_A_SECOND = 75;
/** Frames of the first track's pregap: block 0 is at 00:02:00. */
const PREGAP = 2 * FRAMES_A_SECOND;
/** What minutes, seconds and frames can say at most, when a DVD is addressed with them. */
const LAST_MSF = [0xff, 59, 74] as const;

/** MSF (TIME) bit of byte 1: addresses as minutes, seconds, frames. */
const MSF = 0x02;
/** Position data in ADR; a data track, recorded uninterrupted, in CONTROL. */
const ADR_CONTROL = 0x14;
const TRACK = 1;
const SESSION = 1;
const LEAD_OUT = 0xaa;

/** [MMC] READ TOC/PMA/ATIP, format field */
const TocFormat = { toc: 0, sessions: 1, full: 2 } as const;
/** [MMC] READ SUB-CHANNEL, parameter list */
const SubChannelFormat = { position: 1, catalog: 2, isrc: 3 } as const;
/** No audio operation is under way. */
const NO_AUDIO_STATUS = 0x15;

export function readToc(packet: Uint8Array, target: Uint8Array, { blocks }: DriveView): Answer {
  const msf = ((packet[1] ?? 0) & MSF) !== 0;
  // SFF-8020i had the format in the top bits of the control byte, and Linux (drivers/scsi/sr_vendor.c) still puts it there.
  const format = (packet[2] ?? 0) & 0x0f || (packet[9] ?? 0) >> 6;
  const start = packet[6] ?? 0;
  switch (format) {
    case TocFormat.toc:
      return tracks(target, start, msf, blocks);
    case TocFormat.sessions:
      putU16(target, 0, 10);
      target.set([SESSION, SESSION, 0, ADR_CONTROL, TRACK], 2);
      putAddress(target, 8, 0, msf);
      return 12;
    case TocFormat.full:
      return fullToc(target, start, blocks);
    default:
      return Sense.invalidField;
  }
}

/** From track `start` on, and the lead-out. */
function tracks(target: Uint8Array, start: number, msf: boolean, blocks: number): Answer {
  if (start > TRACK && start !== LEAD_OUT) return Sense.invalidField;
  target.set([TRACK, TRACK], 2);
  let at = 4;
  const track = (number: number, block: number): void => {
    target.set([0, ADR_CONTROL, number, 0], at);
    putAddress(target, at + 4, block, msf);
    at += 8;
  };
  if (start !== LEAD_OUT) track(TRACK, 0);
  track(LEAD_OUT, blocks);
  putU16(target, 0, at - 2);
  return at;
}

/** As in the lead-in's Q channel: always in minutes, seconds and frames. */
function fullToc(target: Uint8Array, firstSession: number, blocks: number): Answer {
  if (firstSession > SESSION) return Sense.invalidField;
  target.set([SESSION, SESSION], 2);
  let at = 4;
  const point = (number: number, address: readonly number[]): void => {
    target.set([SESSION, ADR_CONTROL, 0, number, 0, 0, 0, 0, ...address], at);
    at += 11;
  };
  point(0xa0, [TRACK, 0, 0]); // first track, and a disc of CD-ROM kind
  point(0xa1, [TRACK, 0, 0]); // last track
  point(0xa2, toMsf(blocks));
  point(TRACK, toMsf(0));
  putU16(target, 0, at - 2);
  return at;
}

export function readSubChannel(packet: Uint8Array, target: Uint8Array): Answer {
  const msf = ((packet[1] ?? 0) & MSF) !== 0;
  target[1] = NO_AUDIO_STATUS;
  if (((packet[2] ?? 0) & 0x40) === 0) return 4; // SubQ: without it, the header alone
  const format = packet[3] ?? 0;
  switch (format) {
    case SubChannelFormat.position:
      putU16(target, 2, 12);
      target.set([format, ADR_CONTROL, TRACK, 1], 4);
      // Not modelled: where the head is. Nothing plays, so it rests at the start.
      putAddress(target, 8, 0, msf);
      putAddress(target, 12, 0, msf);
      return 16;
    case SubChannelFormat.catalog:
      putU16(target, 2, 20);
      target[4] = format; // MCVal is 0: there is no catalogue number
      return 24;
    case SubChannelFormat.isrc:
      if (packet[6] !== TRACK) return Sense.invalidField;
      putU16(target, 2, 20);
      target.set([format, ADR_CONTROL, TRACK], 4); // TCVal is 0
      return 24;
    default:
      return Sense.invalidField;
  }
}

export function readDiscInformation(packet: Uint8Array, target: Uint8Array): Answer {
  if (((packet[1] ?? 0) & 0x07) !== 0) return Sense.invalidField; // track or POW resources: nothing to write with
  putU16(target, 0, 32);
  target[2] = 0x0e; // last session complete, disc finalised
  target.set([TRACK, SESSION, TRACK, TRACK], 3);
  target[7] = 0x20; // unrestricted use
  target.fill(0xff, 16, 24); // no further lead-in or lead-out can be written
  return 34;
}

/** [MMC] READ TRACK INFORMATION, address type */
const AddressType = { block: 0, track: 1, session: 2 } as const;

export function readTrackInformation(packet: Uint8Array, target: Uint8Array, { blocks }: DriveView): Answer {
  const number = getU32(packet, 2);
  switch ((packet[1] ?? 0) & 0x03) {
    case AddressType.block:
      if (number >= blocks) return Sense.outOfRange;
      break;
    case AddressType.track:
    case AddressType.session:
      if (number !== 1) return Sense.invalidField;
      break;
    default:
      return Sense.invalidField;
  }
  putU16(target, 0, 34);
  target.set([TRACK, SESSION], 2);
  target[5] = 0x04; // track mode: data, uninterrupted
  target[6] = 0x01; // data mode 1
  putU32(target, 24, blocks); // track size
  return 36;
}

/** Block of a minute, second and frame; negative inside the pregap. */
export function fromMsf(minute: number, second: number, frame: number): number {
  return (minute * 60 + second) * FRAMES_A_SECOND + frame - PREGAP;
}

function toMsf(block: number): readonly [number, number, number] {
  const frames = block + PREGAP;
  const seconds = Math.floor(frames / FRAMES_A_SECOND);
  const minutes = Math.floor(seconds / 60);
  return minutes > LAST_MSF[0] ? LAST_MSF : [minutes, seconds % 60, frames % FRAMES_A_SECOND];
}

function putAddress(target: Uint8Array, at: number, block: number, msf: boolean): void {
  if (msf) target.set([0, ...toMsf(block)], at);
  else putU32(target, at, block);
}
