/**
 * The conversation between a disk's control side (device actor) and its data plane (disk actor): plain data that clones.
 * Requests go through {@link DiskPlane}; each is answered through {@link DiskPlaneEvents}, later and in order.
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
  /** Maps the rings and starts. Answered by `connected` or `failed`. */
  connect(connection: DiskConnection): void;
  /** Stops fetching, waits for what is in flight, unmaps. Answered by `disconnected`, also when nothing was connected. */
  disconnect(): void;
}

/** What the data plane tells the control side. */
export interface DiskPlaneEvents {
  connected(): void;
  /** `connect` did not work; nothing is mapped. */
  failed(reason: string): void;
  /** The guest broke the ring protocol: that ring has stopped for good, until it is disconnected. */
  stopped(reason: string): void;
  disconnected(): void;
}
