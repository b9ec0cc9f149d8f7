/** Host files that back disks: opened, checked, locked and sized. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statfsSync } from "node:fs";
import type { DiskConfig } from "../../shared/config.js";
import { VmmError } from "../../shared/errors.js";
import { ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import { errnoName, HINTS } from "./syscalls.js";

const SECTOR = 512;
const CD_BLOCK = 2048;
const O_DIRECT = 0o40000;
const O_DSYNC = 0o10000;
/** <linux/magic.h> */
const TMPFS_MAGIC = 0x0102_1994;

/** <fcntl.h>: open file description locks, and struct flock of x86-64. */
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const FLOCK_BYTES = 32;

/** Whatever is asked of an absent file fails with EBADF. */
const NO_FILE = -1;

export interface OpenDisk {
  /** -1 for a CD drive without a disc. */
  readonly fd: number;
  readonly bytes: number;
  readonly isBlockDevice: boolean;
  /** Its data is in the host's memory, as a guest's is, and nowhere else. */
  readonly inMemory: boolean;
  /** Reads and writes go past the host's page cache. */
  readonly direct: boolean;
}

/** What opening takes. */
export interface DiskOpener {
  readonly libc: Libc;
  readonly scratch: Scratch;
  /** Offset of room for a struct flock in the scratch memory. */
  readonly lockAt: number;
}

export function diskOpener(libc: Libc, scratch: Scratch): DiskOpener {
  return { libc, scratch, lockAt: scratch.take(FLOCK_BYTES) };
}

/** @throws VmmError CONFIG, or HOST_SYSCALL, with one line that names the file and what is wrong with it */
export function openDisk(opener: DiskOpener, disk: DiskConfig): OpenDisk {
  if (disk.path === undefined) return { fd: NO_FILE, bytes: 0, isBlockDevice: false, inMemory: false, direct: false };
  const fd = openFile(disk, disk.path);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() && !stats.isBlockDevice())
      throw badDisk(disk, "it is neither a regular file nor a block device");
    const bytes = stats.isBlockDevice() ? blockDeviceBytes(stats.rdev) : stats.size;
    if (bytes === 0) throw badDisk(disk, "it is empty");
    if (bytes % SECTOR !== 0)
      throw badDisk(disk, `its size, ${bytes} bytes, is not a multiple of the ${SECTOR}-byte sector`);
    if (disk.attach.kind === "ide" && disk.media === "cdrom" && bytes < CD_BLOCK)
      throw badDisk(disk, `its ${bytes} bytes are less than one ${CD_BLOCK}-byte block of a CD`);
    if (disk.locking !== "off") lock(opener, fd, disk);
    const isBlockDevice = stats.isBlockDevice();
    const inMemory = !isBlockDevice && statfsSync(disk.path).type === TMPFS_MAGIC;
    return { fd, bytes, isBlockDevice, inMemory, direct: isDirect(disk) };
  } catch (error) {
    closeSync(fd);
    throw error instanceof VmmError ? error : badDisk(disk, reasonOf(error), error);
  }
}

function openFile(disk: DiskConfig, path: string): number {
  const direct = isDirect(disk) ? O_DIRECT : 0;
  const sync = disk.cache === "writethrough" || disk.cache === "directsync" ? O_DSYNC : 0;
  const access = disk.readOnly ? constants.O_RDONLY : constants.O_RDWR;
  try {
    return openSync(path, access | direct | sync | constants.O_NONBLOCK);
  } catch (cause) {
    throw badDisk(disk, reasonOf(cause), cause);
  }
}

function isDirect({ cache }: DiskConfig): boolean {
  return cache === "none" || cache === "directsync";
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
      return HINTS[code] === undefined ? code || String(cause) : `${code} (${HINTS[code]})`;
  }
}

/** Whose mistake it is that a file cannot be used: the host's where it has no room left, or cannot read it. */
export function blameOf(cause: unknown): "CONFIG" | "HOST_SYSCALL" {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? "";
  return ["EMFILE", "ENFILE", "ENOMEM", "EIO"].includes(code) ? "HOST_SYSCALL" : "CONFIG";
}

function badDisk(disk: DiskConfig, reason: string, cause?: unknown): VmmError {
  return new VmmError(
    blameOf(cause),
    `Cannot use the disk ${disk.path ?? disk.id}: ${reason}`,
    { path: disk.path ?? "", disk: disk.id },
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
function lock({ libc, scratch, lockAt: at }: DiskOpener, fd: number, disk: DiskConfig): void {
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
