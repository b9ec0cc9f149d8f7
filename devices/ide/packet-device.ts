/**
 * What an ATA channel asks of a device that takes packet commands: a CD-ROM drive. The channel moves the bytes, by PIO
 * or DMA, keeps the task file and does the storage's reads; the device says what a packet means.
 *
 * Every method runs under the channel's lock, on any thread: all state is in shared memory. None can throw, whatever
 * the guest sent.
 *
 * [ATAPI] SFF-8020i, [MMC] MultiMedia Commands
 */
import type { ChipState } from "../chip-state.js";

/** What follows a packet. */
export type PacketReply =
  /** Done, without data. */
  | { readonly kind: "done" }
  /** The first `length` bytes of the buffer given to `execute` go to the guest; 1..65,536. Never more than its allocation length. */
  | { readonly kind: "data"; readonly length: number }
  /**
   * `length` bytes of the medium from byte `offset` on go to the guest: at least one, and all of them on the medium as it
   * is now. Both are multiples of 2048. When the storage fails, the channel calls `readFailed`.
   */
  | { readonly kind: "read"; readonly offset: number; readonly length: number }
  | PacketError;

/** CHECK CONDITION: ERR in the status register, `sense` << 4 in the error register (with ABRT). The device keeps its sense. */
export interface PacketError {
  readonly kind: "error";
  /** Sense key, 1..15. */
  readonly sense: number;
}

export interface PacketDevice {
  /**
   * IDENTIFY PACKET DEVICE's 512 bytes, but for what the channel knows: the DMA modes that SET FEATURES chose (words 63
   * and 88) are for it to fill in.
   */
  identify(target: Uint8Array): void;
  /** Carries out a packet of 12 bytes. `target` takes the answer, and has room for 64 KiB; `packet` is not kept. */
  execute(packet: Uint8Array, target: Uint8Array): PacketReply;
  /** The storage could not give what a `read` asked for (EIO, or a medium that shrank or went). */
  readFailed(): PacketError;
  /** DEVICE RESET, or SRST: sense and pending answers are forgotten, the tray and its lock stay as they are. */
  softReset(): void;
  /** Power-on state. The medium of now stays. */
  reset(): void;
  save(): ChipState;
  restore(state: ChipState): void;
}
