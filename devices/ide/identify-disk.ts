/**
 * A disk's answer to IDENTIFY DEVICE.
 *
 * [ATA-6] T13/1410D, 8.15 "IDENTIFY DEVICE", table 27
 * [ACS-2] T13/2015-D, 7.16 "IDENTIFY DEVICE": words 69, 105 and 169, for DATA SET MANAGEMENT
 */
import { LBA28_LIMIT, MAX_MULTIPLE, MAX_TRIM_BLOCKS } from "./ata.js";
import { Field } from "./drive-registers.js";
import type { DriveField, DriveRegisters } from "./drive-registers.js";
import type { AtaDisk } from "./drive.js";
import { defaultGeometry } from "./geometry.js";
import { IDENTIFY_BYTES, putChecksum, putWord, putWordText } from "./identify-words.js";

export const MODEL = "XENOLITH HARDDISK";
/** Changes when the disk's behaviour does. */
export const FIRMWARE = "1.0";

/** Word 49: DMA, LBA, IORDY that can be disabled, IORDY. */
const CAPABILITIES = 0x0f00;
/** Words 54 to 58, 64 to 70 and 88 mean something. */
const VALID = 0x0007;
/** Ultra DMA modes 0 to 5, multiword DMA modes 0 to 2. */
const UDMA_MODES = 0x3f;
const MULTIWORD_MODES = 0x07;
/** PIO modes 3 and 4. */
const PIO_MODES = 0x03;
/** Nanoseconds of a cycle in the fastest of these modes. */
const CYCLE_NS = 120;
/** ATA-4 to ATA-7. */
const MAJOR_VERSIONS = 0x00f0;
/** Words 82 and 85: NOP, look-ahead, write cache, power management, SMART. */
const Set1 = { nop: 0x4000, lookAhead: 0x0040, writeCache: 0x0020, power: 0x0008, smart: 0x0001 } as const;
/** Words 83 and 86: FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses. */
const Set2 = { flushExt: 0x2000, flush: 0x1000, lba48: 0x0400 } as const;
/** Word 84 and 87: WRITE DMA FUA EXT. */
const FUA = 0x0040;
/** A word whose bit 14 is set and bit 15 clear is filled in. */
const FILLED_IN = 0x4000;
/** Word 93: what the hardware reset found, for device 0 and 1; the cable has 80 conductors. */
const RESET_RESULT = [0x600b, 0x6b00] as const;
/** Word 69: discarded sectors read the same each time, as zeros. */
const TRIM_ZEROS = 0x4020;

/** Fills in the 512 bytes for the drive in place `unit`, with its settings as they are. */
export function identifyDisk(target: Uint8Array, disk: AtaDisk, drive: DriveRegisters, unit: number): void {
  target.fill(0, 0, IDENTIFY_BYTES);
  const put = (word: number, value: number): void => {
    putWord(target, word, value);
  };
  const native = defaultGeometry(disk.sectors);
  put(0, 0x0040); // a fixed disk
  put(1, native.cylinders);
  put(3, native.heads);
  put(6, native.sectors);
  putWordText(target, 10, 10, disk.serial);
  putWordText(target, 23, 4, FIRMWARE);
  putWordText(target, 27, 20, MODEL);
  put(47, 0x8000 | MAX_MULTIPLE);
  put(48, 0x0001); // doubleword I/O, as hosts before ATA-3 asked for it
  put(49, CAPABILITIES);
  put(50, FILLED_IN);
  put(51, 0x0200);
  put(53, VALID);
  putTranslation(target, disk, drive);
  if (drive.get(Field.multiple) > 0) put(59, 0x0100 | drive.get(Field.multiple));
  putLong(target, 60, Math.min(disk.sectors, LBA28_LIMIT));
  putDmaModes(target, drive);
  put(64, PIO_MODES);
  for (let word = 65; word <= 68; word++) put(word, CYCLE_NS);
  putFeatures(target, drive);
  put(93, RESET_RESULT[unit === 0 ? 0 : 1]);
  putLong(target, 100, disk.sectors % 0x1_0000_0000);
  putLong(target, 102, Math.floor(disk.sectors / 0x1_0000_0000));
  if (disk.discards) {
    put(69, TRIM_ZEROS);
    put(105, MAX_TRIM_BLOCKS);
    put(169, 0x0001);
  }
  putChecksum(target);
}

/** Words 62, 63 and 88: the DMA modes that there are, and the one that SET FEATURES chose. */
export function putDmaModes(target: Uint8Array, drive: DriveRegisters): void {
  const mode = drive.get(Field.mode);
  const chosen = 0x100 << (mode & 0x07);
  putWord(target, 63, MULTIWORD_MODES | ((mode & 0xf8) === 0x20 ? chosen : 0));
  putWord(target, 88, UDMA_MODES | ((mode & 0xf8) === 0x40 ? chosen : 0));
}

/** Words 54 to 58: the translation that INITIALIZE DEVICE PARAMETERS chose. */
function putTranslation(target: Uint8Array, disk: AtaDisk, drive: DriveRegisters): void {
  const cylinders = drive.get(Field.cylinders);
  const heads = drive.get(Field.heads);
  const sectors = drive.get(Field.sectors);
  putWord(target, 54, cylinders);
  putWord(target, 55, heads);
  putWord(target, 56, sectors);
  putLong(target, 57, Math.min(disk.sectors, cylinders * heads * sectors));
}

/** Words 80 to 87: what there is, and what of it is on. */
function putFeatures(target: Uint8Array, drive: DriveRegisters): void {
  const on = (field: DriveField, bit: number): number => (drive.get(field) === 1 ? bit : 0);
  const always = Set1.nop | Set1.power;
  const set2 = Set2.flushExt | Set2.flush | Set2.lba48;
  putWord(target, 80, MAJOR_VERSIONS);
  putWord(target, 82, always | Set1.lookAhead | Set1.writeCache | Set1.smart);
  putWord(target, 83, FILLED_IN | set2);
  putWord(target, 84, FILLED_IN | FUA);
  const settings =
    on(Field.lookAhead, Set1.lookAhead) | on(Field.writeCache, Set1.writeCache) | on(Field.smart, Set1.smart);
  putWord(target, 85, always | settings);
  putWord(target, 86, set2);
  putWord(target, 87, FILLED_IN | FUA);
}

function putLong(target: Uint8Array, word: number, value: number): void {
  putWord(target, word, value % 0x1_0000);
  putWord(target, word + 1, Math.floor(value / 0x1_0000));
}
