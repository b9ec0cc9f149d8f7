/**
 * SMBus host controller of the PIIX4, with nothing on its bus: guests that look for memory modules and sensors find none.
 *
 * Not modelled: interrupts (nobody asks for them, and SMBHSTSTS says all), the buffer of block transfers, the slave's side.
 *
 * [PIIX4] Intel 82371AB, 290562-001, 7.3 "SMBus I/O registers"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { IoHandler } from "../../shared/io.js";
import { Lock } from "../../shared/lock.js";
import { BytePorts } from "../byte-ports.js";
import { restoreChip, saveChip, words } from "../chip-state.js";
import type { ChipState } from "../chip-state.js";

/** Length of the block in I/O space, in bytes. [PIIX4] 7.1.25 */
export const SMBUS_IO_LENGTH = 16;

/** Offsets that are more than memory. [PIIX4] 7.3.1, 7.3.3 */
const Register = { status: 0x00, control: 0x02 } as const;
/** Those that keep what was written: command, address, data 0 and 1. [PIIX4] 7.3.4 to 7.3.7 */
const KEPT_FIRST = 0x03;
const KEPT_LAST = 0x06;
/** SMBHSTSTS: nobody claimed the cycle. The guest clears it by writing a one. */
const DEV_ERR = 0x04;
/** SMBHSTCNT: START reads as 0. */
const START = 0x40;
const CONTROL_KEPT = 0x1f;

const W = words(["status", "control", "command", "address", "data0", "data1"]);
const VERSION = 1;

export class Piix4Smbus {
  readonly io: IoHandler;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena) {
    this.#words = arena.int32(Object.keys(W).length);
    this.io = new BytePorts(new Lock(arena.int32(1)), SMBUS_IO_LENGTH, {
      read: (offset) => this.#read(offset),
      write: (offset, value) => {
        this.#write(offset, value);
      },
    });
  }

  reset(): void {
    this.#words.fill(0);
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words);
  }

  #read(offset: number): number {
    if (offset === Register.status) return this.#words[W.status] ?? 0;
    if (offset === Register.control) return this.#words[W.control] ?? 0;
    return isKept(offset) ? (this.#words[W.command + offset - KEPT_FIRST] ?? 0) : 0;
  }

  #write(offset: number, value: number): void {
    if (offset === Register.status) {
      this.#words[W.status] = (this.#words[W.status] ?? 0) & ~value;
    } else if (offset === Register.control) {
      this.#words[W.control] = value & CONTROL_KEPT;
      // Over at once: there is no time at which the host is busy
      if ((value & START) !== 0) this.#words[W.status] = DEV_ERR;
    } else if (isKept(offset)) {
      this.#words[W.command + offset - KEPT_FIRST] = value;
    }
  }
}

function isKept(offset: number): boolean {
  return offset >= KEPT_FIRST && offset <= KEPT_LAST;
}
