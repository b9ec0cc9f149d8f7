/** Pseudo-terminals: the guest's serial port as a terminal device of the host. */
import { closeSync, constants, openSync } from "node:fs";
import { VmmError } from "../../shared/errors.js";
import { checked, SYS } from "./libc.js";
import type { ChardevHost } from "./fd-chardev.js";
import { reasonOf } from "./open-file.js";

/** <asm-generic/ioctls.h> */
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTN = 0x8004_5430;
/** struct termios of <asm-generic/termbits.h>: four words of flags, a byte, 19 control characters. */
const TERMIOS_BYTES = 36;
/** Flags that a raw line has off, as termios(3) lists them for cfmakeraw(): of input, output, control and local modes. */
const IFLAG_COOKED = 0o2753;
const OFLAG_COOKED = 0o1;
const CFLAG_COOKED = 0o460;
const LFLAG_COOKED = 0o100113;
const CS8 = 0o60;

export interface Pty {
  /** The master's descriptor, non-blocking. */
  readonly fd: number;
  /** Path of the terminal. */
  readonly path: string;
}

/** @throws VmmError when the host gives no terminal */
export function openPty(host: ChardevHost): Pty {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
  let fd = -1;
  try {
    fd = openSync("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    const path = unlock(host, fd);
    makeRaw(host, fd);
    // A terminal that was open once and is no more hangs up: so we can tell whether somebody listens.
    closeSync(openSync(path, O_RDWR | O_NOCTTY));
    return { fd, path };
  } catch (cause) {
    if (fd >= 0) closeSync(fd);
    if (cause instanceof VmmError) throw cause;
    throw new VmmError("HOST_UNSUPPORTED", `Cannot open a pty: ${reasonOf(cause)}`, {}, { cause });
  }
}

function unlock(host: ChardevHost, fd: number): string {
  const { libc, scratch } = host;
  const at = scratch.take(4);
  const view = new DataView(scratch.memory.buffer);
  view.setInt32(at, 0, true);
  checked("TIOCSPTLCK", libc.syscall(SYS.ioctl, fd, TIOCSPTLCK, scratch.memory.hva + at), "unlock the pty");
  checked("TIOCGPTN", libc.syscall(SYS.ioctl, fd, TIOCGPTN, scratch.memory.hva + at), "name the pty");
  return `/dev/pts/${view.getInt32(at, true)}`;
}

/** Bytes pass as they are: a line that echoes would give the guest its own output as input. */
function makeRaw(host: ChardevHost, fd: number): void {
  const { libc, scratch } = host;
  const at = scratch.take(TERMIOS_BYTES);
  const view = new DataView(scratch.memory.buffer);
  const clear = (flags: number, bits: number): void => {
    view.setUint32(at + flags, (view.getUint32(at + flags, true) & ~bits) >>> 0, true);
  };
  checked("TCGETS", libc.syscall(SYS.ioctl, fd, TCGETS, scratch.memory.hva + at), "read the pty's modes");
  clear(0, IFLAG_COOKED);
  clear(4, OFLAG_COOKED);
  clear(8, CFLAG_COOKED);
  clear(12, LFLAG_COOKED);
  view.setUint32(at + 8, (view.getUint32(at + 8, true) | CS8) >>> 0, true);
  checked("TCSETS", libc.syscall(SYS.ioctl, fd, TCSETS, scratch.memory.hva + at), "set the pty's modes");
}
