/** Kernels and initrds as the boot loaders read them: regular files, opened once and closed together. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { VmmError } from "../shared/errors.js";
import type { ImageFiles, ImageSource } from "../devices/boot/image.js";
import { reasonOf } from "./host/open-file.js";

export class HostImages implements ImageFiles, Disposable {
  readonly #fds: number[] = [];

  open(path: string): ImageSource {
    const fd = openImage(path);
    this.#fds.push(fd);
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new VmmError("CONFIG", `Cannot load ${path}: it is not a regular file`, { path });
    return {
      name: path,
      size: stats.size,
      read: (offset, target) => readSync(fd, target, 0, target.length, offset),
    };
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds.splice(0)) closeSync(fd);
  }
}

function openImage(path: string): number {
  try {
    // Non-blocking, so that a FIFO without a writer is refused below instead of waited for.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new VmmError("CONFIG", `Cannot load ${path}: ${reasonOf(cause)}`, { path }, { cause });
  }
}
