/** A file's data, as far as the host has it in memory: preadv2 reads it there, and says so where it would have to wait. */
import type { ReadyStorage } from "../../devices/ide/ready-reads.js";
import { trace } from "../trace.js";
import type { Iovecs } from "./iovecs.js";
import { ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { OpenDisk } from "./open-file.js";

/** <linux/fs.h>: fails with EAGAIN, or stops, where data is not in the page cache. */
const RWF_NOWAIT = 8;

export class ReadyFile implements ReadyStorage {
  /** Maybe shared with others of the thread. */
  readonly pieces: Iovecs;
  readonly #libc: Pick<Libc, "fast">;
  readonly #fd: number;
  readonly #flags: number;
  /** The file's system does not know what it has in memory. */
  #unknown = false;

  constructor(libc: Pick<Libc, "fast">, pieces: Iovecs, { fd, inMemory }: OpenDisk) {
    this.#libc = libc;
    this.pieces = pieces;
    this.#fd = fd;
    // tmpfs cannot be asked, and has no device to wait for.
    this.#flags = inMemory ? 0 : RWF_NOWAIT;
  }

  readAtOnce(offset: number, length: number): boolean {
    if (this.#unknown) return false;
    const { hva, count } = this.pieces;
    // The call takes the offset in two halves; on x86-64 the first holds all of it.
    const result = this.#libc.fast(SYS.preadv2, this.#fd, hva, count, offset, 0, this.#flags);
    if (result === -ERRNO.EOPNOTSUPP || result === -ERRNO.ENOSYS) this.#unknown = true;
    if (result !== length) return false;
    if (trace.disk.hasSubscribers) trace.disk.publish({ operation: "read", offset, length, error: 0 });
    return true;
  }
}
