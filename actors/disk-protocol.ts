/** The conversation between the device actor and a disk actor, over their own message channel and each other's doorbell. */
import type { DiskConnection } from "../devices/xen-disk/disk-plane.js";
import type { OpenDisk } from "./host/open-file.js";
import type { Quiesced } from "./io-protocol.js";

/** Beyond what every I/O actor is asked. */
export type OwnDiskRequest =
  /** Of a PV disk's control side only, as the next. */
  | { readonly kind: "connect"; readonly connection: DiskConnection }
  /** Answered by `disconnected`. */
  | { readonly kind: "disconnect" }
  /** Put this into the CD drive, into a locked one only with `force`; answered by `medium`. */
  | { readonly kind: "medium"; readonly disk: OpenDisk; readonly force: boolean };

/** What a PV disk's plane tells its control side. */
export type XenDiskEvent =
  /** The guest broke the ring protocol. */
  { readonly kind: "stopped"; readonly reason: string } | { readonly kind: "disconnected" };

export type DiskEvent =
  | XenDiskEvent
  | Quiesced
  /** The medium is in its drive, and the one before in nobody's use; or the tray is locked. */
  | { readonly kind: "medium"; readonly changed: boolean };
