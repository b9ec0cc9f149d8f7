/** What the wires over the host's descriptors have in common. */
import type { NetWire } from "../../devices/net/wire.js";
import type { MemorySegments } from "../../shared/memory.js";
import { allocate } from "./host-memory.js";
import type { HostMemory } from "./host-memory.js";
import type { IovecHost } from "./iovecs.js";
import type { Libc } from "./libc.js";

export interface WireHost extends IovecHost {
  readonly libc: Libc;
}

/** A wire over a descriptor that is watched by whoever made it. */
export interface HostWire extends NetWire {
  /** Why nothing comes and goes any more: the other side has gone, or does not keep to the protocol. */
  readonly closed: string | undefined;
  /** The descriptor takes data again. */
  flush(): void;
  /** The descriptor has an error or has hung up, and nobody reads it now: sees whether it has come to its end. */
  lookForEnd(): void;
}

/** Bytes that the segments hold from `skip` on. */
export function bytesAfter(segments: MemorySegments, skip: number): number {
  let bytes = -skip;
  for (let i = 0; i < segments.segmentCount; i++) bytes += segments.lengths[i] ?? 0;
  return bytes;
}

/** A frame in memory of our own, between guest memory and a descriptor that cannot have it now. */
export class FrameBuffer {
  readonly memory: HostMemory;
  readonly #bytes: Uint8Array;

  constructor(libc: Libc, capacity: number) {
    this.memory = allocate(libc, capacity);
    this.#bytes = new Uint8Array(this.memory.buffer);
  }

  /** Copies what the segments hold from `skip` on to `at`; returns the number of bytes. */
  load(segments: MemorySegments, skip: number, at: number): number {
    return this.#copy(segments, skip, { at, length: this.#bytes.length - at, store: false });
  }

  /** Copies `[at, at + length)` into the segments from `skip` on. */
  store(segments: MemorySegments, skip: number, at: number, length: number): void {
    this.#copy(segments, skip, { at, length, store: true });
  }

  set(bytes: Uint8Array, at: number): void {
    this.#bytes.set(bytes, at);
  }

  #copy(
    segments: MemorySegments,
    skip: number,
    { at, length, store }: { at: number; length: number; store: boolean },
  ): number {
    let done = 0;
    for (let i = 0; i < segments.segmentCount && done < length; i++) {
      const size = segments.lengths[i] ?? 0;
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const region = segments.regions[i];
      if (region === undefined) break;
      const start = (segments.offsets[i] ?? 0) + skip;
      const part = Math.min(size - skip, length - done);
      if (store) region.bytes.set(this.#bytes.subarray(at + done, at + done + part), start);
      else this.#bytes.set(region.bytes.subarray(start, start + part), at + done);
      done += part;
      skip = 0;
    }
    return done;
  }
}
