/** The firmware's image: where it is on this host, and its way into memory. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { VmmError } from "../shared/errors.js";
import { HIGH_RAM_START, ROM_LIMIT_START } from "../shared/layout.js";
import { allocate } from "./host/host-memory.js";
import type { Libc } from "./host/libc.js";
import { blameOf, reasonOf } from "./host/open-file.js";
import type { Rom } from "./machine-memory.js";

/** Where distributions put SeaBIOS, in the order of preference. */
export const FIRMWARE_FOLDERS = ["/usr/share/seabios", "/usr/share/qemu", "/usr/share/qemu-kvm"] as const;
const SEABIOS = "bios-256k.bin";
/** Images end at 4 GiB and at 1 MiB, and start at a segment of 64 KiB. */
const UNIT = 64 * 1024;
const LIMIT = HIGH_RAM_START - ROM_LIMIT_START;

/**
 * Reads the image `bios` (a path, or the name of a file in one of `folders`), or SeaBIOS when none is named.
 *
 * @throws VmmError CONFIG with what is wrong with the named file; HOST_UNSUPPORTED when there is no SeaBIOS; HOST_SYSCALL
 */
export function loadFirmware(libc: Libc, bios: string | undefined, folders: readonly string[] = FIRMWARE_FOLDERS): Rom {
  const { fd, path } = openFirmware(bios, folders);
  try {
    const stats = fstatSync(fd);
    const { size } = stats;
    if (!stats.isFile()) throw badFirmware(path, "it is not a regular file");
    if (size === 0 || size % UNIT !== 0 || size > LIMIT) {
      throw badFirmware(path, `its size, ${size} bytes, is not a multiple of 64 KiB up to ${LIMIT >>> 20} MiB`);
    }
    const memory = allocate(libc, size);
    const image = new Uint8Array(memory.buffer, 0, size);
    let done = 0;
    for (let read = 1; done < size && read > 0; done += read) read = readSync(fd, image, done, size - done, done);
    if (done < size) throw badFirmware(path, "it became shorter while it was read");
    return { memory, size };
  } catch (error) {
    throw error instanceof VmmError ? error : badFirmware(path, reasonOf(error), error);
  } finally {
    closeSync(fd);
  }
}

function openFirmware(bios: string | undefined, folders: readonly string[]): { fd: number; path: string } {
  const name = bios ?? SEABIOS;
  const places = folders.map((folder) => `${folder}/${name}`);
  const paths = bios === undefined ? places : [bios, ...(basename(bios) === bios ? places : [])];
  let failure: unknown;
  for (const path of paths) {
    try {
      // Non-blocking, so that a FIFO without a writer is refused by its kind instead of waited for.
      return { fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), path };
    } catch (cause) {
      failure ??= cause;
    }
  }
  if (bios !== undefined) throw badFirmware(bios, reasonOf(failure), failure);
  throw new VmmError(
    "HOST_UNSUPPORTED",
    `Cannot find SeaBIOS (${places.join(", ")}): install the package seabios, name an image with --bios, or boot a kernel directly with --kernel`,
    {},
    { cause: failure },
  );
}

function badFirmware(path: string, reason: string, cause?: unknown): VmmError {
  return new VmmError(blameOf(cause), `Cannot use the firmware ${path}: ${reason}`, { path }, { cause });
}
