/** Guest memory in pieces, as the wires of network cards take it, and pairs of sockets. */
import { allocate } from "../../actors/host/host-memory.js";
import { SYS } from "../../actors/host/libc.js";
import type { WireHost } from "../../actors/host/host-wire.js";
import { gpa } from "../../shared/brand.js";
import { MemoryRegion } from "../../shared/memory.js";
import type { MemorySegments } from "../../shared/memory.js";
import type { HostFixture } from "./host-fixture.js";

const BYTES = 256 * 1024;

export class GuestPieces {
  readonly ram: MemoryRegion;
  readonly host: WireHost;

  constructor(fixture: HostFixture) {
    const guest = allocate(fixture.libc, BYTES);
    this.ram = new MemoryRegion(gpa(0), BYTES, guest.buffer);
    this.host = { ...fixture, addressOf: (buffer) => (buffer === guest.buffer ? guest.hva : 0) };
  }

  /** Pieces `[offset, length]` of guest memory. */
  pieces(...list: readonly (readonly [number, number])[]): MemorySegments {
    return {
      segmentCount: list.length,
      regions: list.map(() => this.ram),
      offsets: Float64Array.from(list, ([offset]) => offset),
      lengths: Uint32Array.from(list, ([, length]) => length),
    };
  }

  /** One piece that holds `bytes`. */
  holding(bytes: Uint8Array, offset = 0): MemorySegments {
    this.ram.bytes.set(bytes, offset);
    return this.pieces([offset, bytes.length]);
  }

  bytes(offset: number, length: number): Uint8Array {
    return this.ram.bytes.slice(offset, offset + length);
  }
}

/** A frame of `length` bytes that no other is like. */
export function frame(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 31) & 0xff);
}

/** Two connected sockets of AF_UNIX: `type` 1 is a stream, 2 datagrams. Neither blocks. */
export function socketPair({ libc, scratch }: HostFixture, type: 1 | 2): readonly [number, number] {
  const at = scratch.take(8);
  const result = libc.syscall(SYS.socketpair, 1, type | 0o4000 | 0o2000000, 0, scratch.memory.hva + at);
  if (result < 0) throw new Error(`Cannot make a pair of sockets: ${result}`);
  const view = new DataView(scratch.memory.buffer);
  return [view.getInt32(at, true), view.getInt32(at + 4, true)];
}
