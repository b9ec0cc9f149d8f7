/**
 * One drive's registers: the command block with the previous content of each register, by which 48-bit addresses come in
 * two writes, and the settings that commands change.
 *
 * [ATA-6] T13/1410D, 6.2 "Sector addressing", 7 "Interface register definitions"
 */
import type { SharedArena } from "../../shared/arena.js";
import { words } from "../chip-state.js";
import { DeviceBits, MAX_MULTIPLE, PACKET_SIGNATURE, DIAGNOSTICS_PASSED, READY, Status, TaskRegister } from "./ata.js";

/** Of the registers that hold two bytes, the previous one follows the last. */
const NAMES = [
  "features",
  "featuresPrevious",
  "count",
  "countPrevious",
  "low",
  "lowPrevious",
  "mid",
  "midPrevious",
  "high",
  "highPrevious",
  "device",
  "status",
  "error",
  // The drive wants to interrupt.
  "interrupt",
  // It is there: configured, and not unplugged.
  "present",
  // Sectors in a block of READ and WRITE MULTIPLE, the most at power-on; 0 while that is switched off.
  "multiple",
  "writeCache",
  "lookAhead",
  // A software reset leaves settings alone.
  "keepSettings",
  // SET FEATURES' transfer mode: 0x20 + n is multiword DMA n, 0x40 + n Ultra DMA n.
  "mode",
  "cylinders",
  "heads",
  "sectors",
  "smart",
  "standby",
  // The command under way: its code, whether it addresses with 48 bits, and where and how much it was asked for.
  "command",
  "extended",
  "askedLow",
  "askedHigh",
  "askedCount",
] as const;
/** Of each word its place: accesses are too frequent to look names up. */
export const Field = words(NAMES);
export type DriveField = (typeof Field)[keyof typeof Field];

/** Ultra DMA 5. */
const DEFAULT_MODE = 0x45;

/** Where the registers of the command block lie here, by offset. */
const LATCHES = {
  [TaskRegister.errorFeatures]: Field.features,
  [TaskRegister.count]: Field.count,
  [TaskRegister.lbaLow]: Field.low,
  [TaskRegister.lbaMid]: Field.mid,
  [TaskRegister.lbaHigh]: Field.high,
} as const;
export type LatchOffset = keyof typeof LATCHES;

export class DriveRegisters {
  /** For saving. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #packet: boolean;

  constructor(arena: SharedArena, packet: boolean) {
    this.words = arena.int32(NAMES.length);
    this.#packet = packet;
  }

  get(field: DriveField): number {
    return this.words[field] ?? 0;
  }

  set(field: DriveField, value: number): void {
    this.words[field] = value;
  }

  /** BSY or DRQ: it takes neither a command nor an address. */
  get atWork(): boolean {
    return (this.get(Field.status) & (Status.bsy | Status.drq)) !== 0;
  }

  /** Power-on state. */
  reset(present: boolean): void {
    this.words.fill(0);
    this.set(Field.present, present ? 1 : 0);
    this.set(Field.mode, DEFAULT_MODE);
    this.revert();
    this.sign();
  }

  /** Settings as after power-on, but for the transfer mode. */
  revert(): void {
    this.set(Field.multiple, MAX_MULTIPLE);
    this.set(Field.writeCache, 1);
    this.set(Field.lookAhead, 1);
    this.set(Field.keepSettings, 0);
    this.set(Field.smart, 1);
  }

  /** The state in which a reset or diagnostics leave the command block. [ATA-6] 9.12 */
  sign(): void {
    for (const field of Object.values(LATCHES)) {
      this.#latch(field, 0);
      this.#latch(field, 0);
    }
    this.set(Field.count, 1);
    this.set(Field.low, 1);
    if (this.#packet) this.signPacket();
    this.set(Field.device, 0);
    this.set(Field.error, DIAGNOSTICS_PASSED);
    this.set(Field.status, this.#packet ? 0 : READY);
    this.set(Field.interrupt, 0);
    this.set(Field.standby, 0);
  }

  /** By this a packet device says what it is, also when asked to identify itself as a disk. */
  signPacket(): void {
    this.set(Field.mid, PACKET_SIGNATURE.mid);
    this.set(Field.high, PACKET_SIGNATURE.high);
  }

  /** A write to the command block's register at `offset`. */
  write(offset: LatchOffset, value: number): void {
    this.#latch(LATCHES[offset], value);
  }

  /** What a read gives; `previous` is the HOB bit of device control. */
  read(offset: LatchOffset, previous: boolean): number {
    if (offset === TaskRegister.errorFeatures) return this.get(Field.error);
    return this.get(LATCHES[offset] + (previous ? 1 : 0));
  }

  /** Sectors that a command asks for: 0 stands for the most. */
  countOf(extended: boolean): number {
    if (!extended) return this.get(Field.count) === 0 ? 256 : this.get(Field.count);
    const count = this.get(Field.countPrevious) * 256 + this.get(Field.count);
    return count === 0 ? 65_536 : count;
  }

  /** The sector that a command names; -1 when there is no such cylinder, head and sector. [ATA-6] 6.2 */
  address(extended: boolean): number {
    const low24 = this.get(Field.high) * 0x1_0000 + this.get(Field.mid) * 0x100 + this.get(Field.low);
    if (extended) {
      const high24 =
        this.get(Field.highPrevious) * 0x1_0000 + this.get(Field.midPrevious) * 0x100 + this.get(Field.lowPrevious);
      return high24 * 0x100_0000 + low24;
    }
    const head = this.get(Field.device) & DeviceBits.head;
    if ((this.get(Field.device) & DeviceBits.lba) !== 0) return head * 0x100_0000 + low24;
    const sector = this.get(Field.low);
    const cylinder = this.get(Field.high) * 0x100 + this.get(Field.mid);
    const there =
      sector >= 1 &&
      sector <= this.get(Field.sectors) &&
      head < this.get(Field.heads) &&
      cylinder < this.get(Field.cylinders);
    return there ? (cylinder * this.get(Field.heads) + head) * this.get(Field.sectors) + sector - 1 : -1;
  }

  /** Shows `sector` where the host looks for the address of an error. */
  setAddress(sector: number, extended: boolean): void {
    if (extended) {
      const high24 = Math.floor(sector / 0x100_0000);
      this.set(Field.lowPrevious, high24 & 0xff);
      this.set(Field.midPrevious, (high24 >>> 8) & 0xff);
      this.set(Field.highPrevious, (high24 >>> 16) & 0xff);
    } else if ((this.get(Field.device) & DeviceBits.lba) === 0) {
      this.#setChs(sector);
      return;
    } else {
      this.#setHead(Math.floor(sector / 0x100_0000) & DeviceBits.head);
    }
    const low24 = sector % 0x100_0000;
    this.set(Field.low, low24 & 0xff);
    this.set(Field.mid, (low24 >>> 8) & 0xff);
    this.set(Field.high, (low24 >>> 16) & 0xff);
  }

  #setChs(sector: number): void {
    const sectors = Math.max(1, this.get(Field.sectors));
    const heads = Math.max(1, this.get(Field.heads));
    const track = Math.floor(sector / sectors);
    const cylinder = Math.floor(track / heads);
    this.set(Field.low, (sector % sectors) + 1);
    this.set(Field.mid, cylinder & 0xff);
    this.set(Field.high, (cylinder >>> 8) & 0xff);
    this.#setHead(track % heads);
  }

  #setHead(head: number): void {
    this.set(Field.device, (this.get(Field.device) & ~DeviceBits.head) | head);
  }

  #latch(field: DriveField, value: number): void {
    this.words[field + 1] = this.get(field);
    this.words[field] = value;
  }
}
