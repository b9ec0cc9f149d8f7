/**
 * Programmable attribute map of the 440FX: which accesses to the 13 segments between 0xc0000 and 1 MiB go to RAM, and
 * which to the bus behind, where the firmware's ROM answers in the last of them and nobody in the others.
 *
 * [440FX] Intel 82441FX, 290549-001, 3.2.18 "PAM - programmable attribute map registers"
 */
import { allOnes } from "../../shared/io.js";
import type { AccessSize, IoHandler } from "../../shared/io.js";
import { OPTION_ROM_START, ONE_MIB } from "../../shared/layout.js";

const KIB = 1024;
const SMALL = 16 * KIB;

/** First of seven registers, one byte each. */
export const PAM0 = 0x59;
export const PAM_REGISTERS = 7;

/** Attributes of a segment: reads come from RAM, writes go to RAM. */
export const Pam = { read: 1, write: 2 } as const;

export interface PamSegment {
  /** Guest-physical address. */
  readonly base: number;
  readonly length: number;
  /** Configuration register, and where the two bits are in it. */
  readonly register: number;
  readonly shift: number;
}

/** In the order of addresses: twelve of 16 KiB, then the system BIOS, whose register is the first. */
export const PAM_SEGMENTS: readonly PamSegment[] = [
  ...Array.from({ length: 12 }, (_, index) => ({
    base: OPTION_ROM_START + index * SMALL,
    length: SMALL,
    register: PAM0 + 1 + (index >> 1),
    shift: (index & 1) * 4,
  })),
  { base: ONE_MIB - 64 * KIB, length: 64 * KIB, register: PAM0, shift: 4 },
];

/** Which segment holds `address`, of `[0xc0000, 1 MiB)`. */
export function pamSegmentAt(address: number): number {
  return Math.min(PAM_SEGMENTS.length - 1, Math.floor((address - OPTION_ROM_START) / SMALL));
}

/** A segment that was given other attributes. */
export interface PamChange {
  readonly segment: number;
  /** {@link Pam} bits. */
  readonly attributes: number;
}

/** Where the segments' accesses end up. */
export interface ShadowParts {
  /** RAM of `[0xc0000, 1 MiB)`. */
  readonly ram: Uint8Array;
  /** What the ROM shows in the same range, ending at 1 MiB. */
  readonly rom: Uint8Array;
  /** {@link Pam} bits of a segment now. */
  attributes(segment: number): number;
}

/**
 * The segments' accesses that do not reach memory by themselves: offsets from 0xc0000. All four states of a segment are
 * carried out, so that an access which comes here while its segment changes finds what it should.
 */
export class ShadowRam implements IoHandler {
  readonly #parts: ShadowParts;
  readonly #romStart: number;

  constructor(parts: ShadowParts) {
    this.#parts = parts;
    this.#romStart = ONE_MIB - OPTION_ROM_START - parts.rom.length;
  }

  read(offset: number, size: AccessSize): number {
    const { ram, rom } = this.#parts;
    const fromRam = (this.#parts.attributes(pamSegmentAt(OPTION_ROM_START + offset)) & Pam.read) !== 0;
    const bytes = fromRam ? ram : rom;
    const at = fromRam ? offset : offset - this.#romStart;
    if (at < 0) return allOnes(size);
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= (bytes[at + byte] ?? 0xff) << (byte * 8);
    return value >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    const { ram } = this.#parts;
    if ((this.#parts.attributes(pamSegmentAt(OPTION_ROM_START + offset)) & Pam.write) === 0) return;
    for (let byte = 0; byte < size; byte++) ram[offset + byte] = (value >>> (byte * 8)) & 0xff;
  }
}
