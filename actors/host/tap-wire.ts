/**
 * A tap interface of the host's as a wire: a call is a frame, behind the header that virtio-net has too, so that
 * checksums and segmentation can be left to whoever does them best.
 *
 * [TUN] linux.git Documentation/networking/tuntap.rst, <linux/if_tun.h>
 */
import { closeSync, openSync } from "node:fs";
import { MAX_FRAME_BYTES, MAX_PIECES, MIN_FRAME_BYTES } from "../../devices/net/wire.js";
import { VmmError } from "../../shared/errors.js";
import type { MemorySegments } from "../../shared/memory.js";
import { bytesAfter, FrameBuffer } from "./host-wire.js";
import type { HostWire, WireHost } from "./host-wire.js";
import { Iovecs } from "./iovecs.js";
import { ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import { reasonOf } from "./open-file.js";
import { errnoName } from "./syscalls.js";

const TUN_DEVICE = "/dev/net/tun";
/** <linux/if_tun.h> */
const TUNSETIFF = 0x4004_54ca;
const TUNSETOFFLOAD = 0x4004_54d0;
const TUNSETVNETHDRSZ = 0x4004_54d8;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** struct ifreq of <linux/if.h>. */
const IFREQ_BYTES = 40;
const IFREQ_FLAGS = 16;
/** sizeof(struct virtio_net_hdr_v1) */
const HEADER_BYTES = 12;
const O_RDWR_NONBLOCK_CLOEXEC = 0o2 | 0o4000 | 0o2000000;

/**
 * Opens the tap interface `ifname`, which is made when there is none and we are allowed to.
 *
 * @throws VmmError CONFIG with one line that names the interface and what is wrong
 */
export function openTap(libc: Libc, scratch: Scratch, ifname: string): number {
  const fd = openTun(ifname);
  try {
    const at = scratch.take(IFREQ_BYTES);
    const { memory } = scratch;
    const request = new Uint8Array(memory.buffer, at, IFREQ_BYTES).fill(0);
    request.set(new TextEncoder().encode(ifname));
    new DataView(memory.buffer).setUint16(at + IFREQ_FLAGS, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true);
    const result = libc.syscall(SYS.ioctl, fd, TUNSETIFF, memory.hva + at);
    if (result < 0) throw unusable(ifname, tapReason(-result));
    new DataView(memory.buffer).setInt32(at, HEADER_BYTES, true);
    const sized = libc.syscall(SYS.ioctl, fd, TUNSETVNETHDRSZ, memory.hva + at);
    if (sized < 0) throw unusable(ifname, `it cannot have the header of virtio-net (${errnoName(-sized)})`);
    // What an earlier user could do without is not what this guest can.
    libc.syscall(SYS.ioctl, fd, TUNSETOFFLOAD, 0);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openTun(ifname: string): number {
  try {
    return openSync(TUN_DEVICE, O_RDWR_NONBLOCK_CLOEXEC);
  } catch (cause) {
    throw unusable(ifname, `${TUN_DEVICE}: ${reasonOf(cause)}`, cause);
  }
}

function unusable(ifname: string, reason: string, cause?: unknown): VmmError {
  return new VmmError("CONFIG", `Cannot use the tap interface ${ifname}: ${reason}`, { ifname }, { cause });
}

function tapReason(errno: number): string {
  switch (errno) {
    case ERRNO.EPERM:
      return "permission denied (make it for your user: ip tuntap add mode tap vnet_hdr user USER NAME)";
    case ERRNO.EBUSY:
      return "another process uses it";
    case ERRNO.EINVAL:
      return "it is not a tap interface, or was made in another mode";
    default:
      return errnoName(errno);
  }
}

export class TapWire implements HostWire {
  readonly header = true;
  readonly full = false;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #iovecs: Iovecs;
  /** A frame's length cannot be asked for: it is read to here first, and copied to buffers that fit. */
  readonly #buffer: FrameBuffer;
  #next = 0;
  #closed: string | undefined;

  constructor(host: WireHost, fd: number) {
    this.#libc = host.libc;
    this.#fd = fd;
    this.#iovecs = new Iovecs(host, MAX_PIECES);
    this.#buffer = new FrameBuffer(host.libc, HEADER_BYTES + MAX_FRAME_BYTES);
  }

  get closed(): string | undefined {
    return this.#closed;
  }

  /** TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 and TUN_F_TSO_ECN are the bits of {@link Offload}. */
  setOffloads(offloads: number): void {
    this.#libc.syscall(SYS.ioctl, this.#fd, TUNSETOFFLOAD, offloads);
  }

  send(frame: MemorySegments, skip: number): void {
    const length = bytesAfter(frame, skip);
    if (length < HEADER_BYTES + MIN_FRAME_BYTES || length > HEADER_BYTES + MAX_FRAME_BYTES) return;
    this.#iovecs.clear();
    this.#iovecs.gather(frame, skip, length);
    // An interface that is down, or a header that makes no sense: the frame is lost.
    this.#libc.fast(SYS.writev, this.#fd, this.#iovecs.hva, this.#iovecs.count);
  }

  flush(): void {
    // Nothing is ever left.
  }

  lookForEnd(): void {
    this.arriving();
  }

  arriving(): number {
    if (this.#next !== 0 || this.#closed !== undefined) return this.#next;
    const { hva } = this.#buffer.memory;
    const got = this.#libc.fast(SYS.read, this.#fd, hva, HEADER_BYTES + MAX_FRAME_BYTES);
    if (got > HEADER_BYTES) this.#next = got;
    else if (got < 0 && got !== -ERRNO.EAGAIN && got !== -ERRNO.EINTR) {
      this.#closed = `the interface has gone (${errnoName(-got)})`;
    }
    return this.#next;
  }

  receive(into: MemorySegments, skip: number): boolean {
    this.#buffer.store(into, skip, 0, this.#next);
    this.#next = 0;
    return true;
  }

  discard(): void {
    this.#next = 0;
  }
}
