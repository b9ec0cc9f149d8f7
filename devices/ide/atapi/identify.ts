/**
 * IDENTIFY PACKET DEVICE of a CD-ROM drive.
 *
 * [ATA-6] 8.16 IDENTIFY PACKET DEVICE
 */
import { IDENTIFY_BYTES, putWord, putWordText } from "../identify-words.js";
import type { Identity } from "./inquiry.js";

/** Words in their order; texts and what the channel fills in (63, 88) apart. */
const WORDS: readonly (readonly [word: number, value: number])[] = [
  [0, 0x85c0], // packet device of type 5, removable, DRQ within 50 us of PACKET, packets of 12 bytes
  [49, 0x0b00], // IORDY, LBA, DMA
  [50, 0x4000], // valid
  [53, 0x0006], // words 64 to 70, and 88, are valid
  [64, 0x0003], // PIO modes 3 and 4
  [65, 120], // ns a multiword DMA cycle at least, as modes 2 and 4 have it
  [66, 120],
  [67, 120], // ns a PIO cycle without and with IORDY
  [68, 120],
  [80, 0x007e], // ATA-1 to ATA/ATAPI-6
  [82, 0x4210], // NOP, DEVICE RESET, PACKET
  [83, 0x4000], // valid
  [84, 0x4000],
  [85, 0x4210], // all of them on
  [86, 0x0000],
  [87, 0x4000],
];

export function identifyPacketDevice(target: Uint8Array, { model, serial, firmware }: Identity): void {
  target.fill(0, 0, IDENTIFY_BYTES);
  for (const [word, value] of WORDS) putWord(target, word, value);
  putWordText(target, 10, 10, serial);
  putWordText(target, 23, 4, firmware);
  putWordText(target, 27, 20, model);
}
