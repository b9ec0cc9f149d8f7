/** The conversation between the device actor and a disk actor, over their own message channel and each other's doorbell. */
import type { DiskConnection } from "../devices/xen-disk/disk-plane.js";

export type DiskRequest =
  | { readonly kind: "connect"; readonly connection: DiskConnection }
  /** Answered by `disconnected`. */
  | { readonly kind: "disconnect" }
  /** Stop fetching and finish what is under way; answered by `quiesced`. */
  | { readonly kind: "quiesce" }
  | { readonly kind: "resume" }
  | { readonly kind: "stop" };

export type DiskEvent =
  /** The guest broke the ring protocol. */
  | { readonly kind: "stopped"; readonly reason: string }
  | { readonly kind: "disconnected" }
  | { readonly kind: "quiesced" };
