/**
 * A CD-ROM or DVD-ROM drive that takes packet commands. The medium is an image of 2048-byte blocks: one data track.
 *
 * The host changes the medium with {@link Cdrom.load} and {@link Cdrom.eject}; the guest hears of it by a unit attention
 * condition and by the event that it polls for.
 *
 * [MMC] MultiMedia Commands; [SPC] SCSI Primary Commands; [ATAPI] SFF-8020i
 */
import type { SharedArena } from "../../../shared/arena.js";
import type { ChipState } from "../../chip-state.js";
import type { PacketDevice, PacketError, PacketReply } from "../packet-device.js";
import { COMMANDS, isBlockRange, noMedium } from "./commands.js";
import type { CommandContext } from "./commands.js";
import { DriveState } from "./drive-state.js";
import { BLOCK_BYTES } from "./drive-view.js";
import { MediaEvent } from "./events.js";
import { identifyPacketDevice } from "./identify.js";
import type { Identity } from "./inquiry.js";
import { Sense } from "./sense.js";
import type { SenseCode } from "./sense.js";

export interface CdromHost {
  /** The guest opened or closed the tray. Called under the channel's lock. */
  trayMoved(open: boolean): void;
}

/** Most bytes of an answer that comes from memory: READ DVD STRUCTURE's. */
const LONGEST_ANSWER = 4 + 2048;
/** Blocks that 32 bits can count, as READ CAPACITY does. */
const MAX_BLOCKS = 0xffff_ffff;

const DONE: PacketReply = { kind: "done" };

export class Cdrom implements PacketDevice {
  readonly #host: CdromHost;
  readonly #identity: Identity;
  readonly #state: DriveState;

  constructor(arena: SharedArena, host: CdromHost, identity: Identity) {
    this.#host = host;
    this.#identity = identity;
    this.#state = new DriveState(arena);
  }

  /** There is a medium, in an open tray too. */
  get present(): boolean {
    return this.#state.present;
  }

  get trayOpen(): boolean {
    return this.#state.trayOpen;
  }

  get locked(): boolean {
    return this.#state.locked;
  }

  /**
   * Puts a medium of `bytes` into the drive and closes the tray; what is less than a block at its end is not seen. Before
   * the machine's first power-on it is the medium that the guest finds.
   */
  load(bytes: number): void {
    this.#state.mediumBlocks = Math.min(Math.floor(bytes / BLOCK_BYTES), MAX_BLOCKS);
    this.#state.trayOpen = false;
    this.#state.mediumChanged(this.#state.present ? MediaEvent.newMedium : MediaEvent.mediumRemoval);
  }

  /** Opens the tray and takes the medium out, whatever the guest says. */
  eject(): void {
    this.#state.mediumBlocks = 0;
    this.#state.trayOpen = true;
    this.#state.mediumChanged(MediaEvent.mediumRemoval);
  }

  /** Somebody pressed the eject button of a locked drive: the guest may unlock and open it. */
  requestEject(): void {
    this.#state.media = MediaEvent.ejectRequest;
  }

  identify(target: Uint8Array): void {
    identifyPacketDevice(target, this.#identity);
  }

  execute(packet: Uint8Array, target: Uint8Array): PacketReply {
    const state = this.#state;
    const opcode = packet[0] ?? 0;
    const command = COMMANDS.get(opcode);
    if (command === undefined) return this.#refuse(Sense.invalidCommand);
    if (!command.ignoresAttention) {
      state.sense = Sense.none;
      const attention = state.takeAttention();
      if (attention !== undefined) return this.#refuse(attention);
    }
    if (command.needsMedium && state.blocks === 0) return this.#refuse(noMedium(state));
    target.fill(0, 0, LONGEST_ANSWER);
    const outcome = command.run(this.#context(packet, target));
    if (typeof outcome === "number") {
      const length = Math.min(outcome, command.allocation(packet));
      return length === 0 ? DONE : { kind: "data", length };
    }
    if (isBlockRange(outcome)) {
      return { kind: "read", offset: outcome.block * BLOCK_BYTES, length: outcome.count * BLOCK_BYTES };
    }
    return this.#refuse(outcome);
  }

  readFailed(): PacketError {
    return this.#refuse(this.#state.blocks === 0 ? noMedium(this.#state) : Sense.unrecoveredReadError);
  }

  softReset(): void {
    this.#state.sense = Sense.none;
  }

  reset(): void {
    this.#state.reset();
  }

  save(): ChipState {
    return this.#state.save();
  }

  restore(state: ChipState): void {
    this.#state.restore(state);
  }

  #context(packet: Uint8Array, target: Uint8Array): CommandContext {
    return {
      packet,
      target,
      state: this.#state,
      identity: this.#identity,
      moveTray: (open) => {
        this.#moveTray(open);
      },
    };
  }

  /** By the guest. The medium stays in the tray, and comes back with it. */
  #moveTray(open: boolean): void {
    const state = this.#state;
    if (state.trayOpen === open) return;
    state.trayOpen = open;
    if (state.present) state.mediumChanged(open ? MediaEvent.mediumRemoval : MediaEvent.newMedium);
    this.#host.trayMoved(open);
  }

  #refuse(sense: SenseCode): PacketError {
    this.#state.sense = sense;
    return { kind: "error", sense: sense.key };
  }
}
