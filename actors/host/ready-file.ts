/** A file's data, as far as the host has it in memory: preadv2 reads it there, and says so where it would have to wait. */
import type { ReadyReadsHost } from "../../devices/ide/ready-reads.js";
import { trace } from "../trace.js";
import type { Iovecs } from "./iovecs.js";
import { ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { OpenDisk } from "./open-file.js";

type ReadyStorage = ReadyReadsHost["storage"];

/** <linux/fs.h>: fails with EAGAIN, or stops, where data is not in the page cache. */
const RWF_NOWAIT = 8;

export class ReadyFile implements ReadyStorage {
  readonly #libc: Pick<Libc, "fast">;
  readonly #iovecs: Iovecs;
  readonly #fd: number;
  readonly #flags: number;
  /** The file's system does not know what it has in memory. */
  #unknown = false;

  /** `iovecs` may be shared with others of the thread. */
  constructor(libc: Pick<Libc, "fast">, iovecs: Iovecs, { fd, inMemory }: OpenDisk) {
    this.#libc = libc;
    this.#iovecs = iovecs;
    this.#fd = fd;
    // tmpfs cannot be asked, and has no device to wait for.
    this.#flags = inMemory ? 0 : RWF_NOWAIT;
  }

  readAtOnce(request: Parameters<ReadyStorage["readAtOnce"]>[0]): boolean {
    if (this.#unknown) return false;
    const { offset, length } = request;
    const iovecs = this.#iovecs;
    iovecs.clear();
    iovecs.gather(request, 0, length);
    // The call takes the offset in two halves; on x86-64 the first holds all of it.
    const result = this.#libc.fast(SYS.preadv2, this.#fd, iovecs.hva, iovecs.count, offset, 0, this.#flags);
    if (result === -ERRNO.EOPNOTSUPP || result === -ERRNO.ENOSYS) this.#unknown = true;
    if (result !== length) return false;
    if (trace.disk.hasSubscribers) trace.disk.publish({ operation: "read", offset, length, error: 0 });
    return true;
  }
}
