/**
 * One drive's registers: the command block with the previous content of each register, by which 48-bit addresses come in
 * two writes, and the settings that commands change.
 *
 * [ATA-6] T13/1410D, 6.2 "Sector addressing", 7 "Interface register definitions"
 */
import type { SharedArena } from "../../shared/arena.js";
import { words } from "../chip-state.js";
import { DeviceBits, MAX_MULTIPLE, PACKET_SIGNATURE, DIAGNOSTICS_PASSED, READY, Status, TaskRegister } from "./ata.js";

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
export type DriveField = (typeof NAMES)[number];

const W = words(NAMES);
/** Ultra DMA 5. */
const DEFAULT_MODE = 0x45;

/** What the registers of the command block are called here, by offset. */
const LATCHES = {
  [TaskRegister.errorFeatures]: "features",
  [TaskRegister.count]: "count",
  [TaskRegister.lbaLow]: "low",
  [TaskRegister.lbaMid]: "mid",
  [TaskRegister.lbaHigh]: "high",
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
    return this.words[W[field]] ?? 0;
  }

  set(field: DriveField, value: number): void {
    this.words[W[field]] = value;
  }

  /** BSY or DRQ: it takes neither a command nor an address. */
  get atWork(): boolean {
    return (this.get("status") & (Status.bsy | Status.drq)) !== 0;
  }

  /** Power-on state. */
  reset(present: boolean): void {
    this.words.fill(0);
    this.set("present", present ? 1 : 0);
    this.set("mode", DEFAULT_MODE);
    this.revert();
    this.sign();
  }

  /** Settings as after power-on, but for the transfer mode. */
  revert(): void {
    this.set("multiple", MAX_MULTIPLE);
    this.set("writeCache", 1);
    this.set("lookAhead", 1);
    this.set("keepSettings", 0);
    this.set("smart", 1);
  }

  /** The state in which a reset or diagnostics leave the command block. [ATA-6] 9.12 */
  sign(): void {
    for (const { name } of LATCH_LIST) this.latch(name, 0);
    for (const { name } of LATCH_LIST) this.latch(name, 0);
    this.set("count", 1);
    this.set("low", 1);
    if (this.#packet) this.signPacket();
    this.set("device", 0);
    this.set("error", DIAGNOSTICS_PASSED);
    this.set("status", this.#packet ? 0 : READY);
    this.set("interrupt", 0);
    this.set("standby", 0);
  }

  /** By this a packet device says what it is, also when asked to identify itself as a disk. */
  signPacket(): void {
    this.set("mid", PACKET_SIGNATURE.mid);
    this.set("high", PACKET_SIGNATURE.high);
  }

  /** A write to the command block's register at `offset`. */
  write(offset: LatchOffset, value: number): void {
    this.latch(LATCHES[offset], value);
  }

  /** What a read gives; `previous` is the HOB bit of device control. */
  read(offset: LatchOffset, previous: boolean): number {
    if (offset === TaskRegister.errorFeatures) return this.get("error");
    const name = LATCHES[offset];
    return this.get(previous ? `${name}Previous` : name);
  }

  latch(name: (typeof LATCHES)[LatchOffset], value: number): void {
    this.set(`${name}Previous`, this.get(name));
    this.set(name, value);
  }

  /** Sectors that a command asks for: 0 stands for the most. */
  countOf(extended: boolean): number {
    if (!extended) return this.get("count") === 0 ? 256 : this.get("count");
    const count = this.get("countPrevious") * 256 + this.get("count");
    return count === 0 ? 65_536 : count;
  }

  /** The sector that a command names; -1 when there is no such cylinder, head and sector. [ATA-6] 6.2 */
  address(extended: boolean): number {
    const low24 = this.get("high") * 0x1_0000 + this.get("mid") * 0x100 + this.get("low");
    if (extended) {
      const high24 = this.get("highPrevious") * 0x1_0000 + this.get("midPrevious") * 0x100 + this.get("lowPrevious");
      return high24 * 0x100_0000 + low24;
    }
    const head = this.get("device") & DeviceBits.head;
    if ((this.get("device") & DeviceBits.lba) !== 0) return head * 0x100_0000 + low24;
    const sector = this.get("low");
    const cylinder = this.get("high") * 0x100 + this.get("mid");
    const there =
      sector >= 1 && sector <= this.get("sectors") && head < this.get("heads") && cylinder < this.get("cylinders");
    return there ? (cylinder * this.get("heads") + head) * this.get("sectors") + sector - 1 : -1;
  }

  /** Shows `sector` where the host looks for the address of an error. */
  setAddress(sector: number, extended: boolean): void {
    if (extended) {
      const high24 = Math.floor(sector / 0x100_0000);
      this.set("lowPrevious", high24 & 0xff);
      this.set("midPrevious", (high24 >>> 8) & 0xff);
      this.set("highPrevious", (high24 >>> 16) & 0xff);
    } else if ((this.get("device") & DeviceBits.lba) === 0) {
      this.#setChs(sector);
      return;
    } else {
      this.#setHead(Math.floor(sector / 0x100_0000) & DeviceBits.head);
    }
    const low24 = sector % 0x100_0000;
    this.set("low", low24 & 0xff);
    this.set("mid", (low24 >>> 8) & 0xff);
    this.set("high", (low24 >>> 16) & 0xff);
  }

  #setChs(sector: number): void {
    const sectors = Math.max(1, this.get("sectors"));
    const heads = Math.max(1, this.get("heads"));
    const track = Math.floor(sector / sectors);
    const cylinder = Math.floor(track / heads);
    this.set("low", (sector % sectors) + 1);
    this.set("mid", cylinder & 0xff);
    this.set("high", (cylinder >>> 8) & 0xff);
    this.#setHead(track % heads);
  }

  #setHead(head: number): void {
    this.set("device", (this.get("device") & ~DeviceBits.head) | head);
  }
}

const LATCH_LIST = Object.values(LATCHES).map((name) => ({ name }));
