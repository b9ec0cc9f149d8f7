/**
 * A stream socket as a wire: each frame after its length. Data goes straight between the socket and guest memory, and the
 * next frame's length comes with the end of the one before, so that a frame costs one call either way.
 *
 * [QEMU-STREAM] length in 32 bits, big-endian
 */
import { MAX_FRAME_BYTES, MAX_PIECES, MIN_FRAME_BYTES } from "../../devices/net/wire.js";
import type { MemorySegments } from "../../shared/memory.js";
import { bytesAfter, FrameBuffer } from "./host-wire.js";
import type { HostWire, WireHost } from "./host-wire.js";
import { Iovecs } from "./iovecs.js";
import { ERRNO } from "./libc.js";
import { SocketMessages } from "./socket-messages.js";
import { errnoName } from "./syscalls.js";

const HUNG_UP = "the other side closed the connection";
const LENGTH_BYTES = 4;
/** Where frames that nobody wants go, a piece at a time. */
const WASTE_BYTES = 4096;
/** How many frames that are none are thrown away at once, before others get their turn. */
const SHORT_FRAMES = 64;

export class StreamWire implements HostWire {
  readonly header = false;
  readonly #fd: number;
  readonly #iovecs: Iovecs;
  readonly #messages: SocketMessages;
  readonly #view: DataView;
  readonly #hva: number;
  /** In scratch memory: the length being sent, the length that comes in, and waste. */
  readonly #lengthOut: number;
  readonly #lengthIn: number;
  readonly #waste: number;
  /** What the socket did not take of a frame. */
  readonly #rest: FrameBuffer;
  #restStart = 0;
  #restEnd = 0;
  /** Bytes of the next frame's length that are here. */
  #lengthFill = 0;
  /** Bytes of the frame that are here, or were thrown away. */
  #done = 0;
  #discarding = false;
  #closed: string | undefined;

  constructor(host: WireHost, fd: number) {
    const { libc, scratch } = host;
    this.#fd = fd;
    this.#iovecs = new Iovecs(host, MAX_PIECES + 2);
    this.#messages = new SocketMessages(libc, scratch);
    this.#view = new DataView(scratch.memory.buffer);
    this.#hva = scratch.memory.hva;
    this.#lengthOut = scratch.take(LENGTH_BYTES);
    this.#lengthIn = scratch.take(LENGTH_BYTES);
    this.#waste = scratch.take(WASTE_BYTES);
    this.#rest = new FrameBuffer(libc, LENGTH_BYTES + MAX_FRAME_BYTES);
  }

  get closed(): string | undefined {
    return this.#closed;
  }

  get full(): boolean {
    return this.#restEnd !== 0;
  }

  /** Another connection is on the descriptor: what was half done on the one before is forgotten. */
  connected(): void {
    this.#restStart = 0;
    this.#restEnd = 0;
    this.#lengthFill = 0;
    this.#done = 0;
    this.#discarding = false;
    this.#closed = undefined;
  }

  send(frame: MemorySegments, skip: number): void {
    if (this.#closed !== undefined || this.full) return;
    const length = bytesAfter(frame, skip);
    if (length < MIN_FRAME_BYTES || length > MAX_FRAME_BYTES) return;
    this.#view.setUint32(this.#lengthOut, length);
    this.#iovecs.clear();
    this.#iovecs.add(this.#hva + this.#lengthOut, LENGTH_BYTES);
    this.#iovecs.gather(frame, skip, length);
    const sent = this.#sent();
    if (sent < 0 || sent === LENGTH_BYTES + length) return;
    // The other side must get the whole frame, whatever the guest does with its memory meanwhile.
    this.#rest.set(new Uint8Array(this.#view.buffer, this.#lengthOut, LENGTH_BYTES), 0);
    this.#rest.load(frame, skip, LENGTH_BYTES);
    this.#restStart = sent;
    this.#restEnd = LENGTH_BYTES + length;
  }

  setOffloads(): void {
    // Frames are as they are on a cable.
  }

  flush(): void {
    if (!this.full || this.#closed !== undefined) return;
    this.#iovecs.clear();
    this.#iovecs.add(this.#rest.memory.hva + this.#restStart, this.#restEnd - this.#restStart);
    this.#restStart += Math.max(0, this.#sent());
    if (this.#restStart === this.#restEnd) {
      this.#restStart = 0;
      this.#restEnd = 0;
    }
  }

  lookForEnd(): void {
    this.#closed ??= HUNG_UP;
  }

  arriving(): number {
    for (let frames = 0; frames < SHORT_FRAMES; frames++) {
      if (this.#discarding && !this.#drain()) return 0;
      if (!this.#lengthKnown() || this.#closed !== undefined) return 0;
      const length = this.#length();
      if (length > MAX_FRAME_BYTES) {
        this.#closed = `the other side sent a frame of ${length} bytes`;
        return 0;
      }
      if (length >= MIN_FRAME_BYTES) return length;
      this.discard();
    }
    return 0;
  }

  receive(into: MemorySegments, skip: number): boolean {
    const left = this.#length() - this.#done;
    this.#iovecs.clear();
    this.#iovecs.gather(into, skip + this.#done, left);
    this.#iovecs.add(this.#hva + this.#lengthIn, LENGTH_BYTES);
    const got = this.#received();
    if (got < left) {
      this.#done += Math.max(0, got);
      return false;
    }
    this.#done = 0;
    this.#lengthFill = got - left;
    return true;
  }

  discard(): void {
    this.#discarding = true;
    this.#drain();
  }

  /** Reads on where a frame is thrown away; true at its end. */
  #drain(): boolean {
    const length = this.#length();
    while (this.#done < length) {
      this.#iovecs.clear();
      this.#iovecs.add(this.#hva + this.#waste, Math.min(WASTE_BYTES, length - this.#done));
      const got = this.#received();
      if (got < 0) return false;
      this.#done += got;
    }
    this.#discarding = false;
    this.#done = 0;
    this.#lengthFill = 0;
    return true;
  }

  #lengthKnown(): boolean {
    if (this.#lengthFill === LENGTH_BYTES) return true;
    if (this.#closed !== undefined) return false;
    this.#iovecs.clear();
    this.#iovecs.add(this.#hva + this.#lengthIn + this.#lengthFill, LENGTH_BYTES - this.#lengthFill);
    this.#lengthFill += Math.max(0, this.#received());
    return this.#lengthFill === LENGTH_BYTES;
  }

  #length(): number {
    return this.#view.getUint32(this.#lengthIn);
  }

  /** Bytes received, at least 1; -1 when there are none now, or never again. */
  #received(): number {
    const result = this.#messages.receive(this.#fd, this.#iovecs);
    if (result > 0) return result;
    if (result === 0) this.#closed = HUNG_UP;
    else this.#failed(result);
    return -1;
  }

  /** Bytes sent, 0 when there is no room now; -1 when there is nobody to send to. */
  #sent(): number {
    const result = this.#messages.send(this.#fd, this.#iovecs);
    return result < 0 ? this.#failed(result) : result;
  }

  /** `result` of a call that failed: 0 when it only has to wait, -1 when the connection is gone. */
  #failed(result: number): 0 | -1 {
    if (result === -ERRNO.EAGAIN || result === -ERRNO.EINTR) return 0;
    this.#closed =
      result === -ERRNO.EPIPE || result === -ERRNO.ECONNRESET
        ? HUNG_UP
        : `the connection failed with ${errnoName(-result)}`;
    return -1;
  }
}
