/** What is plugged into an IDE channel, as the configuration says. */
import type { PacketDevice } from "./packet-device.js";

export interface AtaDisk {
  readonly kind: "disk";
  /** Capacity in sectors of 512 bytes. */
  readonly sectors: number;
  /** At most 20 characters of ASCII. */
  readonly serial: string;
  readonly readOnly: boolean;
  /** DATA SET MANAGEMENT frees space. */
  readonly discards: boolean;
}

export interface PacketDrive {
  readonly kind: "packet";
  readonly device: PacketDevice;
}

export type IdeDrive = AtaDisk | PacketDrive;

/** The drives of a channel, device 0 first. */
export type ChannelDrives = readonly [IdeDrive | undefined, IdeDrive | undefined];
