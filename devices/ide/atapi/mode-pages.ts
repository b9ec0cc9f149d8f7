/**
 * MODE SENSE: what the drive can do and how it is set. Nothing can be changed, so MODE SELECT is refused.
 *
 * [MMC] MODE SELECT, MODE SENSE, mode parameters; [ATAPI] capabilities and mechanical status page
 */
import { getU16, putU16 } from "./big-endian.js";
import { mediumKind } from "./drive-view.js";
import type { Answer, DriveView } from "./drive-view.js";
import { Sense } from "./sense.js";

/** Page control, the top bits of byte 2. */
const PageControl = { current: 0, changeable: 1, defaults: 2, saved: 3 } as const;
const ALL_PAGES = 0x3f;

/** Medium types. [ATAPI] mode parameter header */
const MediumType = { data120mm: 0x01, none: 0x70, trayOpen: 0x71 } as const;

/** kB/s of one-fold speed, 75 blocks of 2352 bytes, and of what we claim: 24-fold. */
const SPEED = 176 * 24;
const BUFFER_KIB = 512;

/** Capabilities; bytes count from the page's start. */
const Reads = { cdR: 0x01, cdRw: 0x02, dvdRom: 0x08 } as const;
const Mode2 = { form1: 0x10, form2: 0x20, multiSession: 0x40 } as const;
const Mechanism = { lock: 0x01, lockState: 0x02, eject: 0x08, tray: 0x20 } as const;

interface ModePage {
  readonly code: number;
  /** After the page's two-byte header. */
  readonly bytes: (drive: DriveView) => readonly number[];
}

const PAGES: readonly ModePage[] = [
  // Read error recovery: the host's own, with its default of 5 retries.
  { code: 0x01, bytes: () => [0, 5, 0, 0, 0, 0] },
  // CD parameters: 60 seconds a minute and 75 frames a second.
  { code: 0x0d, bytes: () => [0, 0, 0, 60, 0, 75] },
  // CD audio control: immediate completion; no output port is connected.
  { code: 0x0e, bytes: () => [0x04, 0, 0, 0, 0, 75, 0, 0, 0, 0, 0, 0, 0, 0] },
  {
    code: 0x2a,
    bytes: ({ locked }) => [
      Reads.cdR | Reads.cdRw | Reads.dvdRom,
      0, // writes nothing
      Mode2.form1 | Mode2.form2 | Mode2.multiSession,
      0, // no digital audio
      Mechanism.lock | Mechanism.eject | Mechanism.tray | (locked ? Mechanism.lockState : 0),
      0,
      ...u16(SPEED), // fastest
      ...u16(0), // volume levels
      ...u16(BUFFER_KIB),
      ...u16(SPEED), // now
      0,
      0,
      0,
      0,
    ],
  },
];

export function modeSense6(packet: Uint8Array, target: Uint8Array, drive: DriveView): Answer {
  const header = 4;
  const length = modeData(packet, target, header, drive);
  if (typeof length !== "number") return length;
  target[0] = length - 1;
  target[1] = mediumType(drive);
  return length;
}

export function modeSense10(packet: Uint8Array, target: Uint8Array, drive: DriveView): Answer {
  const header = 8;
  const length = modeData(packet, target, header, drive);
  if (typeof length !== "number") return length;
  putU16(target, 0, length - 2);
  target[2] = mediumType(drive);
  return length;
}

/** An empty parameter list changes nothing, which can be done; any other asks for a change. */
export function modeSelect6(packet: Uint8Array): Answer {
  return packet[4] === 0 ? 0 : Sense.invalidParameter;
}

export function modeSelect10(packet: Uint8Array): Answer {
  return getU16(packet, 7) === 0 ? 0 : Sense.invalidParameter;
}

/** Writes the pages asked for after `header` bytes; returns the length in all. */
function modeData(packet: Uint8Array, target: Uint8Array, header: number, drive: DriveView): Answer {
  const field = packet[2] ?? 0;
  const wanted = field & 0x3f;
  const control = field >> 6;
  if (control === PageControl.saved) return Sense.savingNotSupported;
  let at = header;
  for (const { code, bytes } of PAGES) {
    if (wanted !== code && wanted !== ALL_PAGES) continue;
    const values = bytes(drive);
    target[at] = code;
    target[at + 1] = values.length;
    // Nothing is changeable: the mask stays 0.
    if (control !== PageControl.changeable) target.set(values, at + 2);
    at += 2 + values.length;
  }
  return at === header ? Sense.invalidField : at;
}

function mediumType(drive: DriveView): number {
  if (drive.trayOpen) return MediumType.trayOpen;
  return mediumKind(drive) === "none" ? MediumType.none : MediumType.data120mm;
}

function u16(value: number): readonly [number, number] {
  return [value >> 8, value & 0xff];
}
