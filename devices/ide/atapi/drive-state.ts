/**
 * What a CD-ROM drive remembers, in shared memory: its tray, lock and medium, the sense of the last refusal, and news
 * that the guest has not heard. Touched under the channel's lock.
 */
import type { SharedArena } from "../../../shared/arena.js";
import { restoreChip, saveChip, words } from "../../chip-state.js";
import type { ChipState } from "../../chip-state.js";
import type { DriveView } from "./drive-view.js";
import { MediaEvent } from "./events.js";
import type { PendingEvents, TrayView } from "./events.js";
import { Sense } from "./sense.js";
import type { SenseCode } from "./sense.js";

/** `mediumBlocks` counts the medium in the tray, open or not; 0 without one. */
const W = words([
  "mediumBlocks",
  "trayOpen",
  "locked",
  "senseKey",
  "asc",
  "ascq",
  "resetAttention",
  "mediumAttention",
  "mediaEvent",
  "profileChanged",
]);
const STATE_WORDS = W.profileChanged + 1;
const VERSION = 1;

export class DriveState implements DriveView, PendingEvents, TrayView {
  readonly #words: Uint32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena) {
    this.#words = arena.uint32(STATE_WORDS);
  }

  get blocks(): number {
    return this.trayOpen ? 0 : this.mediumBlocks;
  }

  get mediumBlocks(): number {
    return this.#words[W.mediumBlocks] ?? 0;
  }

  set mediumBlocks(blocks: number) {
    this.#words[W.mediumBlocks] = blocks;
  }

  get present(): boolean {
    return this.mediumBlocks > 0;
  }

  get trayOpen(): boolean {
    return this.#words[W.trayOpen] === 1;
  }

  set trayOpen(open: boolean) {
    this.#words[W.trayOpen] = open ? 1 : 0;
  }

  get locked(): boolean {
    return this.#words[W.locked] === 1;
  }

  set locked(locked: boolean) {
    this.#words[W.locked] = locked ? 1 : 0;
  }

  get media(): number {
    return this.#words[W.mediaEvent] ?? MediaEvent.none;
  }

  set media(event: number) {
    this.#words[W.mediaEvent] = event;
  }

  get profileChanged(): boolean {
    return this.#words[W.profileChanged] === 1;
  }

  set profileChanged(changed: boolean) {
    this.#words[W.profileChanged] = changed ? 1 : 0;
  }

  get sense(): SenseCode {
    return { key: this.#words[W.senseKey] ?? 0, asc: this.#words[W.asc] ?? 0, ascq: this.#words[W.ascq] ?? 0 };
  }

  set sense({ key, asc, ascq }: SenseCode) {
    this.#words[W.senseKey] = key;
    this.#words[W.asc] = asc;
    this.#words[W.ascq] = ascq;
  }

  /** The medium that commands work on is another one, or gone. */
  mediumChanged(event: number): void {
    this.#words[W.mediumAttention] = event === MediaEvent.newMedium ? 1 : 0;
    this.media = event;
    this.profileChanged = true;
  }

  /** Takes the next unit attention condition: that of the reset before that of the medium, as [SPC] wants it. */
  takeAttention(): SenseCode | undefined {
    for (const [word, sense] of ATTENTIONS) {
      if (this.#words[word] !== 1) continue;
      this.#words[word] = 0;
      return sense;
    }
    return undefined;
  }

  /** Power-on: the tray and what is in it stay as they are. */
  reset(): void {
    this.locked = false;
    this.sense = Sense.none;
    this.profileChanged = false;
    this.media = this.blocks > 0 ? MediaEvent.newMedium : MediaEvent.none;
    this.#words[W.resetAttention] = 1;
    this.#words[W.mediumAttention] = 0;
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words);
  }
}

const ATTENTIONS = [
  [W.resetAttention, Sense.reset],
  [W.mediumAttention, Sense.mediumChanged],
] as const;
