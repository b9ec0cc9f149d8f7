/**
 * A raw file or block device as the storage of a PV disk: data goes straight between the file and guest memory by
 * preadv and pwritev, one call a request.
 */
import type { MemoryRegion } from "../../shared/memory.js";
import { BlockOp } from "../../devices/xen-disk/block-backend.js";
import type { BlockBackend, BlockRequest } from "../../devices/xen-disk/block-backend.js";
import { ERRNO, SYS } from "./libc.js";
import { trace } from "../trace.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import type { OpenDisk } from "./open-file.js";

const SECTOR = 512;
const IOVEC_BYTES = 16;
const MAX_SEGMENTS = 256;
/** <linux/falloc.h> */
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const TWO_32 = 0x1_0000_0000;

/** By {@link BlockOp}. */
const OPERATIONS = ["read", "write", "flush", "discard"] as const;

export interface RawDiskOptions {
  readonly readOnly: boolean;
  readonly discards: boolean;
  /** Flushes are ignored (`cache=unsafe`). */
  readonly unsafe: boolean;
}

export class RawDisk implements BlockBackend {
  readonly sectors: number;
  readonly readOnly: boolean;
  readonly discards: boolean;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #unsafe: boolean;
  readonly #iovecs: number;
  readonly #view: DataView;
  readonly #hva: number;
  /** Host address of the buffer behind each region. */
  readonly #addressOf: (buffer: SharedArrayBuffer) => number;

  constructor(
    host: { readonly libc: Libc; readonly scratch: Scratch; addressOf(buffer: SharedArrayBuffer): number },
    disk: OpenDisk,
    options: RawDiskOptions,
  ) {
    this.sectors = disk.bytes / SECTOR;
    this.readOnly = options.readOnly;
    this.discards = options.discards;
    this.#unsafe = options.unsafe;
    this.#libc = host.libc;
    this.#fd = disk.fd;
    this.#iovecs = host.scratch.take(MAX_SEGMENTS * IOVEC_BYTES);
    this.#view = new DataView(host.scratch.memory.buffer);
    this.#hva = host.scratch.memory.hva;
    this.#addressOf = (buffer) => host.addressOf(buffer);
  }

  submit(request: BlockRequest): void {
    const error = this.#carryOut(request);
    if (trace.disk.hasSubscribers) {
      const { offset, length } = request;
      trace.disk.publish({ operation: OPERATIONS[request.op], offset, length, error });
    }
    request.complete(error);
  }

  /** 0 or a positive errno. */
  #carryOut(request: BlockRequest): number {
    switch (request.op) {
      case BlockOp.read:
        return this.#transfer(SYS.preadv, request);
      case BlockOp.write:
        return this.#transfer(SYS.pwritev, request);
      case BlockOp.flush:
        return this.#unsafe ? 0 : -Math.min(0, this.#libc.fast(SYS.fdatasync, this.#fd));
      default:
        return this.#discard(request);
    }
  }

  /** Short transfers go on where they stopped; the end of the file is an error. */
  #transfer(call: number, request: BlockRequest): number {
    let done = 0;
    while (done < request.length) {
      const count = this.#gather(request, done);
      const offset = request.offset + done;
      // The call takes the offset in two halves; on x86-64 the first holds all of it.
      const result = this.#libc.fast(call, this.#fd, this.#hva + this.#iovecs, count, offset, 0);
      if (result === -ERRNO.EINTR) continue;
      if (result < 0) return -result;
      if (result === 0) return ERRNO.EIO;
      done += result;
    }
    return 0;
  }

  /** Writes the iovecs of what is left after `skip` bytes; returns their number. */
  #gather(request: BlockRequest, skip: number): number {
    let count = 0;
    for (let i = 0; i < request.segmentCount; i++) {
      const length = request.lengths[i] ?? 0;
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const region = request.regions[i];
      if (region === undefined) break;
      this.#iovec(count++, this.#hostAddress(region, request.offsets[i] ?? 0) + skip, length - skip);
      skip = 0;
    }
    return count;
  }

  #hostAddress(region: MemoryRegion, offset: number): number {
    return this.#addressOf(region.buffer) + region.start + offset;
  }

  #iovec(index: number, base: number, length: number): void {
    const at = this.#iovecs + index * IOVEC_BYTES;
    this.#view.setUint32(at, base % TWO_32, true);
    this.#view.setUint32(at + 4, Math.floor(base / TWO_32), true);
    this.#view.setUint32(at + 8, length, true);
    this.#view.setUint32(at + 12, 0, true);
  }

  #discard(request: BlockRequest): number {
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return -Math.min(0, this.#libc.fast(SYS.fallocate, this.#fd, mode, request.offset, request.length));
  }
}
