/**
 * The conversation between a disk's control side (device actor) and its data plane (disk actor): plain data that clones.
 *
 * The data plane carries requests out in order, each when the one before is done. Its answers come through
 * {@link DiskPlaneEvents}, mostly later, in the order of the requests. The control side sends no `connect` before the
 * `disconnect` of the connection before has been answered.
 */
import type { EvtchnPort } from "../../shared/brand.js";
import type { BlkifAbiName } from "./blkif-abi.js";

/** One ring, as the front end described it and the control side checked it. */
export interface RingConnection {
  /** Grant references of the ring's pages: 1, 2, 4, 8 or 16. */
  readonly ringRefs: readonly number[];
  readonly abi: BlkifAbiName;
  /** The front end keeps using the same grants, and grants them writable. */
  readonly persistent: boolean;
  /** The event channel, bound: what to notify the guest by, and what kicks arrive on. */
  readonly port: EvtchnPort;
}

export interface DiskConnection {
  /** One for each queue of the front end. */
  readonly queues: readonly RingConnection[];
}

export interface DiskPlane {
  /** Maps the rings and serves them. Answered only by `stopped`, when that does not work. */
  connect(connection: DiskConnection): void;
  /** Stops fetching, waits for what is in flight, unmaps. Answered by `disconnected`, whatever was connected. */
  disconnect(): void;
}

/** What the data plane tells the control side. */
export interface DiskPlaneEvents {
  /** A ring cannot be mapped, or the guest broke its protocol: the disk serves nothing until it is connected anew. */
  stopped(reason: string): void;
  /** Nothing of the guest's is mapped or in flight any more. */
  disconnected(): void;
}
