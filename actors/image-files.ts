/** Kernels and initrds as the boot loaders read them: regular files, opened once and closed together. */
import { constants, fstatSync, openSync, readSync } from "node:fs";
import { VmmError } from "../shared/errors.js";
import type { ImageFiles, ImageSource } from "../devices/boot/image.js";
import { Holdings } from "./host/holdings.js";
import { blameOf, reasonOf } from "./host/open-file.js";

export class HostImages implements ImageFiles, Disposable {
  readonly #opened = new Holdings();

  /** @throws VmmError CONFIG or HOST_SYSCALL with one line that names the file; so does what it returns */
  open(path: string): ImageSource {
    const fd = this.#opened.keep(named(path, () => openImage(path)));
    const stats = named(path, () => fstatSync(fd));
    if (!stats.isFile()) throw new VmmError("CONFIG", `Cannot load ${path}: it is not a regular file`, { path });
    return {
      name: path,
      size: stats.size,
      read: (offset, target) => named(path, () => readSync(fd, target, 0, target.length, offset)),
    };
  }

  [Symbol.dispose](): void {
    this.#opened.release();
  }
}

/** Non-blocking, so that a FIFO without a writer is refused by its kind instead of waited for. */
function openImage(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** What `work` gives; when it fails, the error names the file. */
function named<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new VmmError(blameOf(cause), `Cannot load ${path}: ${reasonOf(cause)}`, { path }, { cause });
  }
}
