/**
 * A raw file or block device as the storage of a disk: data goes straight between the file and guest memory by
 * preadv and pwritev, one call a request.
 */
import { BlockOp } from "../../devices/block-backend.js";
import type { BlockBackend, BlockRequest } from "../../devices/block-backend.js";
import { trace } from "../trace.js";
import { Iovecs } from "./iovecs.js";
import type { IovecHost } from "./iovecs.js";
import type { Scratch } from "./kvm.js";
import { ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { OpenDisk } from "./open-file.js";

const SECTOR = 512;
const MAX_SEGMENTS = 256;
/** <linux/falloc.h> */
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const FALLOC_FL_ZERO_RANGE = 16;
/** Zeros that the host's file system cannot make are written, from one page over and over. */
const ZERO_BYTES = 4096;

/** By {@link BlockOp}. */
const OPERATIONS = ["read", "write", "flush", "discard", "write-zeroes"] as const;

export interface RawDiskOptions {
  readonly readOnly: boolean;
  readonly discards: boolean;
  /** Flushes are ignored (`cache=unsafe`). */
  readonly unsafe: boolean;
}

export class RawDisk implements BlockBackend {
  readonly readOnly: boolean;
  readonly discards: boolean;
  #disk: OpenDisk;
  readonly #libc: Libc;
  readonly #unsafe: boolean;
  readonly #iovecs: Iovecs;
  readonly #scratch: Scratch;
  /** Host address of {@link ZERO_BYTES} zeros, once they are wanted. */
  #zeros: number | undefined = undefined;

  constructor(host: IovecHost & { readonly libc: Libc }, disk: OpenDisk, options: RawDiskOptions) {
    this.#disk = disk;
    this.readOnly = options.readOnly;
    this.discards = options.discards;
    this.#unsafe = options.unsafe;
    this.#libc = host.libc;
    this.#iovecs = new Iovecs(host, MAX_SEGMENTS);
    this.#scratch = host.scratch;
  }

  get sectors(): number {
    return Math.floor(this.#disk.bytes / SECTOR);
  }

  /** Another file is behind it from now on: the drive's medium has been changed. */
  replace(disk: OpenDisk): void {
    this.#disk = disk;
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
        return this.#unsafe ? 0 : this.#repeated(() => this.#libc.fast(SYS.fdatasync, this.#disk.fd));
      case BlockOp.discard:
        return this.#allocate(FALLOC_FL_PUNCH_HOLE, request);
      default:
        return this.#writeZeroes(request);
    }
  }

  /** Short transfers go on where they stopped; the end of the file is an error. */
  #transfer(call: number, request: BlockRequest): number {
    let done = 0;
    while (done < request.length) {
      this.#iovecs.clear();
      this.#iovecs.gather(request, done, Infinity);
      const offset = request.offset + done;
      // The call takes the offset in two halves; on x86-64 the first holds all of it.
      const result = this.#libc.fast(call, this.#disk.fd, this.#iovecs.hva, this.#iovecs.count, offset, 0);
      if (result === -ERRNO.EINTR) continue;
      if (result < 0) return -result;
      if (result === 0) return ERRNO.EIO;
      done += result;
    }
    return 0;
  }

  #writeZeroes(request: BlockRequest): number {
    const error = this.#allocate(FALLOC_FL_ZERO_RANGE, request);
    if (error !== ERRNO.EOPNOTSUPP) return error;
    this.#zeros ??= this.#scratch.memory.hva + this.#scratch.take(ZERO_BYTES, ZERO_BYTES);
    for (let done = 0; done < request.length;) {
      this.#iovecs.clear();
      for (let i = 0, left = request.length - done; i < MAX_SEGMENTS && left > 0; i++, left -= ZERO_BYTES) {
        this.#iovecs.add(this.#zeros, Math.min(left, ZERO_BYTES));
      }
      const offset = request.offset + done;
      const result = this.#libc.fast(SYS.pwritev, this.#disk.fd, this.#iovecs.hva, this.#iovecs.count, offset, 0);
      if (result === -ERRNO.EINTR) continue;
      if (result < 0) return -result;
      if (result === 0) return ERRNO.EIO;
      done += result;
    }
    return 0;
  }

  #allocate(how: number, request: BlockRequest): number {
    const mode = how | FALLOC_FL_KEEP_SIZE;
    const { offset, length } = request;
    return this.#repeated(() => this.#libc.fast(SYS.fallocate, this.#disk.fd, mode, offset, length));
  }

  /** 0 or a positive errno of a call that is made again when a signal interrupted it. */
  #repeated(call: () => number): number {
    for (;;) {
      const result = call();
      if (result !== -ERRNO.EINTR) return -Math.min(0, result);
    }
  }
}
