/** The cable of a network card as its data plane sees it: frames go out and come in, and nothing of it blocks. */
import type { MemorySegments } from "../../shared/memory.js";

/** An Ethernet header: what is shorter is no frame. */
export const MIN_FRAME_BYTES = 14;
/** The longest IP packet behind an Ethernet header with a VLAN tag: what is longer is no frame. */
export const MAX_FRAME_BYTES = 65_553;

/** Most pieces of memory that a frame may be in: with what a wire adds, within the 1024 of the host's calls. */
export const MAX_PIECES = 1000;

/** What a reader of frames can do without: checksums, and segments of the size that the network takes. */
export const Offload = { checksum: 0x01, tso4: 0x02, tso6: 0x04, ecn: 0x08 } as const;

export interface NetWire {
  /** True when it takes and gives a struct virtio_net_hdr_v1 before each frame, as part of it. */
  readonly header: boolean;
  /** True while it takes no frame. */
  readonly full: boolean;
  /** Sends what the segments hold from `skip` on. It is taken, whether it arrives or not; the segments are free again. */
  send(frame: MemorySegments, skip: number): void;
  /** Bytes of the next frame that has come in, 0 when there is none. The same again until it is received or discarded. */
  arriving(): number;
  /**
   * Stores the next frame in the segments from `skip` on: there is room. False when a part of it has yet to come: call
   * again, with the same segments, when there is more.
   */
  receive(into: MemorySegments, skip: number): boolean;
  /** The guest can do without `offloads`, {@link Offload} bits, in what it receives. Of a wire with headers only. */
  setOffloads(offloads: number): void;
  /** Throws the next frame away, or what is left of one that was received in part. */
  discard(): void;
}
