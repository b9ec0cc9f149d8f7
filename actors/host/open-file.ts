/** Host files that back disks: opened, checked, locked and sized. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { DiskConfig } from "../../shared/config.js";
import { VmmError } from "../../shared/errors.js";
import { ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import { errnoName } from "./syscalls.js";

const SECTOR = 512;
const O_DIRECT = 0o40000;
const O_DSYNC = 0o10000;

/** <fcntl.h>: open file description locks, and struct flock of x86-64. */
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const FLOCK_BYTES = 32;

export interface OpenDisk {
  readonly fd: number;
  readonly bytes: number;
  readonly isBlockDevice: boolean;
}

/** @throws VmmError CONFIG with one line that names the file and what is wrong with it */
export function openDisk(libc: Libc, scratch: Scratch, disk: DiskConfig): OpenDisk {
  const fd = openFile(disk);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() && !stats.isBlockDevice())
      throw badDisk(disk, "it is neither a regular file nor a block device");
    const bytes = stats.isBlockDevice() ? blockDeviceBytes(stats.rdev) : stats.size;
    if (bytes === 0) throw badDisk(disk, "it is empty");
    if (bytes % SECTOR !== 0)
      throw badDisk(disk, `its size, ${bytes} bytes, is not a multiple of the ${SECTOR}-byte sector`);
    if (disk.locking !== "off") lock(libc, scratch, fd, disk);
    return { fd, bytes, isBlockDevice: stats.isBlockDevice() };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openFile(disk: DiskConfig): number {
  const direct = disk.cache === "none" || disk.cache === "directsync" ? O_DIRECT : 0;
  const sync = disk.cache === "writethrough" || disk.cache === "directsync" ? O_DSYNC : 0;
  const access = disk.readOnly ? constants.O_RDONLY : constants.O_RDWR;
  try {
    return openSync(disk.path, access | direct | sync | constants.O_NONBLOCK);
  } catch (cause) {
    throw badDisk(disk, reasonOf(cause), cause);
  }
}

/** Words for what usually goes wrong with a file that a person names. */
export function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  switch (code) {
    case "ENOENT":
      return "there is no such file";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "it is a directory";
    case "EROFS":
      return "its file system is read-only";
    default:
      return code === "" ? String(cause) : code;
  }
}

function badDisk(disk: DiskConfig, reason: string, cause?: unknown): VmmError {
  return new VmmError(
    "CONFIG",
    `Cannot use the disk ${disk.path}: ${reason}`,
    { path: disk.path, disk: disk.id },
    { cause },
  );
}

/** Capacity as sysfs gives it, in bytes: sectors of 512 whatever the device's own. */
function blockDeviceBytes(rdev: number): number {
  const major = Math.floor(rdev / 256) % 4096;
  const minor = (rdev % 256) + Math.floor(rdev / 0x10_0000) * 256;
  return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, "utf8")) * SECTOR;
}

/** An OFD lock, so that no second machine writes the same image; it ends with the descriptor. */
function lock(libc: Libc, scratch: Scratch, fd: number, disk: DiskConfig): void {
  const at = scratch.take(FLOCK_BYTES);
  // All other fields 0: from the start of the file to its end, and l_pid, which the kernel wants to be 0.
  new Uint8Array(scratch.memory.buffer, at, FLOCK_BYTES).fill(0);
  new DataView(scratch.memory.buffer).setInt16(at, disk.readOnly ? F_RDLCK : F_WRLCK, true);
  const result = libc.syscall(SYS.fcntl, fd, F_OFD_SETLK, scratch.memory.hva + at);
  if (result >= 0) return;
  if (result === -ERRNO.EAGAIN || result === -ERRNO.EACCES) {
    throw badDisk(disk, "another process has locked it (file.locking=off disables the check)");
  }
  if (disk.locking === "on") throw badDisk(disk, `its file system cannot lock it (${errnoName(-result)})`);
}
