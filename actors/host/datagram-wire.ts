/** A datagram socket as a wire: a frame is a datagram. What the other side has no room for is lost, as on a real cable. */
import { MAX_FRAME_BYTES, MAX_PIECES, MIN_FRAME_BYTES } from "../../devices/net/wire.js";
import type { MemorySegments } from "../../shared/memory.js";
import { bytesAfter } from "./host-wire.js";
import type { HostWire, WireHost } from "./host-wire.js";
import { Iovecs } from "./iovecs.js";
import { SocketMessages } from "./socket-messages.js";
import type { SocketAddress } from "./sockets.js";

/** How many datagrams that are no frames are thrown away at once, before others get their turn. */
const BAD_FRAMES = 64;

export class DatagramWire implements HostWire {
  readonly header = false;
  readonly full = false;
  readonly closed = undefined;
  readonly #fd: number;
  readonly #remote: SocketAddress;
  readonly #iovecs: Iovecs;
  readonly #messages: SocketMessages;
  #next = 0;

  constructor(host: WireHost, fd: number, remote: SocketAddress) {
    this.#fd = fd;
    this.#remote = remote;
    this.#iovecs = new Iovecs(host, MAX_PIECES);
    this.#messages = new SocketMessages(host.libc, host.scratch);
  }

  send(frame: MemorySegments, skip: number): void {
    const length = bytesAfter(frame, skip);
    if (length < MIN_FRAME_BYTES || length > MAX_FRAME_BYTES) return;
    this.#iovecs.clear();
    this.#iovecs.gather(frame, skip, length);
    // Nobody there, no room there, longer than a datagram can be: the frame is lost.
    this.#messages.send(this.#fd, this.#iovecs, this.#remote);
  }

  setOffloads(): void {
    // Frames are as they are on a cable.
  }

  flush(): void {
    // Nothing is ever left.
  }

  lookForEnd(): void {
    // It has none; an error is taken by the next look.
    this.arriving();
  }

  arriving(): number {
    for (let frames = 0; this.#next === 0 && frames < BAD_FRAMES; frames++) {
      // Nothing is there, or an answer by ICMP to what was sent, which this call has taken.
      const length = this.#messages.peekLength(this.#fd);
      if (length < 0) return 0;
      if (length >= MIN_FRAME_BYTES && length <= MAX_FRAME_BYTES) this.#next = length;
      else this.discard();
    }
    return this.#next;
  }

  receive(into: MemorySegments, skip: number): boolean {
    this.#iovecs.clear();
    this.#iovecs.gather(into, skip, this.#next);
    this.#next = 0;
    return this.#messages.receive(this.#fd, this.#iovecs) >= 0;
  }

  discard(): void {
    this.#next = 0;
    this.#iovecs.clear();
    this.#messages.receive(this.#fd, this.#iovecs);
  }
}
