/**
 * Which of a channel's two drives the host speaks to, and the interrupt line, which is that drive's. Under the channel's
 * lock.
 *
 * A channel without drives floats: all ones. Beside a drive that is there, one that is not reads as status 0, and as the
 * other's registers.
 *
 * [ATA-6] T13/1410D, 6.4.6 "INTRQ", 7.8 "Device control register", 9.16 "Single device configurations"
 */
import type { SharedArena } from "../../shared/arena.js";
import { words } from "../chip-state.js";
import { Control } from "./ata.js";
import { Field } from "./drive-registers.js";
import type { DriveRegisters } from "./drive-registers.js";

export interface DriveSelectionHost {
  /** The interrupt line changed. */
  line(level: 0 | 1): void;
}

/** `control` is the device control register, `line` the level of the interrupt line. */
const W = words(["control", "unit", "line"]);

export class DriveSelection {
  /** For saving. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #drives: readonly [DriveRegisters, DriveRegisters];
  readonly #host: DriveSelectionHost;

  constructor(arena: SharedArena, drives: readonly [DriveRegisters, DriveRegisters], host: DriveSelectionHost) {
    this.words = arena.int32(3);
    this.#drives = drives;
    this.#host = host;
  }

  /** Drive 0 is selected, the line is low. */
  reset(): void {
    this.words.fill(0);
    this.#host.line(0);
  }

  get control(): number {
    return this.words[W.control] ?? 0;
  }

  set control(value: number) {
    this.words[W.control] = value;
  }

  get unit(): 0 | 1 {
    return this.words[W.unit] === 1 ? 1 : 0;
  }

  set unit(unit: 0 | 1) {
    this.words[W.unit] = unit;
  }

  get selected(): DriveRegisters {
    return this.#drives[this.unit];
  }

  /** The selected drive is there. */
  get present(): boolean {
    return this.selected.get(Field.present) === 1;
  }

  /** Whose registers a read gives. */
  get answering(): DriveRegisters {
    return this.present ? this.selected : this.#drives[this.unit === 0 ? 1 : 0];
  }

  /** No drive is there at all. */
  get empty(): boolean {
    const [first, second] = this.#drives;
    return first.get(Field.present) === 0 && second.get(Field.present) === 0;
  }

  get status(): number {
    const { selected } = this;
    if (selected.get(Field.present) === 1) return selected.get(Field.status);
    return this.empty ? 0xff : 0;
  }

  /** Brings the line to what the selected drive wants, while the host lets it. */
  updateLine(): void {
    const enabled = (this.control & Control.nien) === 0;
    const level = enabled && this.present && this.selected.get(Field.interrupt) === 1 ? 1 : 0;
    if (level === this.words[W.line]) return;
    this.words[W.line] = level;
    this.#host.line(level);
  }
}
