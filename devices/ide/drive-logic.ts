/** What a channel asks of a drive, be it a disk or a packet device. All of it under the channel's lock. */
import type { AtaCommand } from "./commands.js";

export interface DriveLogic {
  /** Carries out a command, or begins to. */
  execute(command: AtaCommand): void;
  /** The transfer under way has a block of `bytes` for the guest, or wants one. */
  blockReady(bytes: number, interrupt: boolean): void;
  /** The transfer is through; `interrupt` where a disk's would interrupt. */
  done(interrupt: boolean): void;
  /** The storage failed at byte `offset`. */
  failed(offset: number, errno: number): void;
  /** The buffer begins with the packet that the drive asked for. */
  packetReceived(): void;
  /** Power-on settings. */
  reset(): void;
  /** Settings after SRST or DEVICE RESET. */
  softReset(): void;
}
