/**
 * Where the bytes of a serial port or console go to and come from: raw file descriptors, never blocking, watched by the
 * device actor's poll.
 */
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import type { ChardevConfig } from "../../shared/config.js";
import { unreachable, VmmError } from "../../shared/errors.js";
import { checked, ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import { reasonOf } from "./open-file.js";
import { Poll } from "./poller.js";
import type { Poller } from "./poller.js";

/** <asm-generic/ioctls.h> */
const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTN = 0x8004_5430;
/** <linux/socket.h>, <linux/un.h> */
const AF_UNIX = 1;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const SOCKADDR_UN_BYTES = 110;
const BUFFER_BYTES = 4096;

export interface ChardevEvents {
  /** Bytes came in; valid during the call. Returns how many could be taken: the rest stays in the kernel. */
  room(): number;
  input(bytes: Uint8Array): void;
  /** Output can be written again. */
  writable(): void;
}

export interface Chardev {
  /** What a person wants to know, such as the path of a pty. */
  readonly place: string;
  /** Takes as many bytes as go out now and returns their number. */
  write(bytes: Uint8Array): number;
  /** There is room for input again. */
  resumeInput(): void;
  close(): void;
}

export interface ChardevHost {
  readonly libc: Libc;
  readonly scratch: Scratch;
  readonly poller: Poller;
}

/** Opens what `config` names. `stream` is the embedding program's and handled elsewhere. */
export function openChardev(
  host: ChardevHost,
  config: Exclude<ChardevConfig, { kind: "stream" }>,
  events: ChardevEvents,
): Chardev {
  switch (config.kind) {
    case "null":
      return { place: "", write: (bytes) => bytes.length, resumeInput: () => undefined, close: () => undefined };
    case "file":
      return new FdChardev(host, openOutput(config.path, config.append), { place: config.path, input: false }, events);
    case "pty": {
      const fd = openPty(host);
      return new FdChardev(host, fd, { place: ptsName(host, fd), input: true }, events);
    }
    case "socket":
      return new SocketChardev(host, config, events);
    default:
      return unreachable(config);
  }
}

function openOutput(path: string, append: boolean): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC } = constants;
  try {
    return openSync(path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0o644);
  } catch (cause) {
    throw new VmmError("CONFIG", `Cannot open ${path} for output: ${reasonOf(cause)}`, { path }, { cause });
  }
}

function openPty(host: ChardevHost): number {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
  const fd = openSync("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  const at = host.scratch.take(4);
  new DataView(host.scratch.memory.buffer).setInt32(at, 0, true);
  checked("TIOCSPTLCK", host.libc.syscall(SYS.ioctl, fd, TIOCSPTLCK, host.scratch.memory.hva + at), "unlock the pty");
  return fd;
}

function ptsName(host: ChardevHost, fd: number): string {
  const at = host.scratch.take(4);
  checked("TIOCGPTN", host.libc.syscall(SYS.ioctl, fd, TIOCGPTN, host.scratch.memory.hva + at), "name the pty");
  return `/dev/pts/${new DataView(host.scratch.memory.buffer).getInt32(at, true)}`;
}

/** A descriptor that takes bytes and, perhaps, gives some. */
class FdChardev implements Chardev {
  readonly place: string;
  readonly #host: ChardevHost;
  readonly #fd: number;
  readonly #events: ChardevEvents;
  readonly #reads: boolean;
  readonly #buffer: number;
  readonly #bytes: Uint8Array;
  readonly #gone: (() => void) | undefined;
  #blocked = false;

  constructor(
    host: ChardevHost,
    fd: number,
    options: { readonly place: string; readonly input: boolean; readonly gone?: () => void },
    events: ChardevEvents,
  ) {
    this.place = options.place;
    this.#host = host;
    this.#fd = fd;
    this.#reads = options.input;
    this.#gone = options.gone;
    this.#events = events;
    this.#buffer = host.scratch.take(BUFFER_BYTES);
    this.#bytes = new Uint8Array(host.scratch.memory.buffer, this.#buffer, BUFFER_BYTES);
    this.#watch();
  }

  write(bytes: Uint8Array): number {
    const { libc, scratch } = this.#host;
    let done = 0;
    while (done < bytes.length) {
      const part = bytes.subarray(done, done + BUFFER_BYTES);
      this.#bytes.set(part);
      const result = libc.fast(SYS.write, this.#fd, scratch.memory.hva + this.#buffer, part.length);
      if (result === -ERRNO.EINTR) continue;
      if (result === -ERRNO.EAGAIN) {
        this.#blocked = true;
        this.#watch();
        return done;
      }
      // Nobody reads (a closed socket, a full disk): the bytes are lost, the guest goes on.
      if (result < 0) return bytes.length;
      done += result;
    }
    return done;
  }

  resumeInput(): void {
    this.#watch();
  }

  close(): void {
    this.#host.poller.unwatch(this.#fd);
    closeSync(this.#fd);
  }

  #watch(): void {
    const input = this.#reads && this.#events.room() > 0 ? Poll.in : 0;
    const output = this.#blocked ? Poll.out : 0;
    if (input === 0 && output === 0) this.#host.poller.unwatch(this.#fd);
    else {
      this.#host.poller.watch(this.#fd, input | output, (ready) => {
        this.#ready(ready);
      });
    }
  }

  #ready(ready: number): void {
    if ((ready & Poll.out) !== 0) {
      this.#blocked = false;
      this.#watch();
      this.#events.writable();
    }
    if ((ready & (Poll.in | Poll.hangUp | Poll.error)) !== 0) this.#read();
  }

  #read(): void {
    const { libc, scratch, poller } = this.#host;
    const room = Math.min(this.#events.room(), BUFFER_BYTES);
    const result = room === 0 ? 0 : libc.fast(SYS.read, this.#fd, scratch.memory.hva + this.#buffer, room);
    if (result > 0) this.#events.input(this.#bytes.subarray(0, result));
    else if (result === 0 && room > 0) this.#gone?.();
    // A pty without a reader gives EIO until somebody opens it: look again when output wakes us, not in a loop.
    if (result === -ERRNO.EIO || result === 0) poller.unwatch(this.#fd);
    else this.#watch();
  }
}

/** A Unix socket: one client at a time; a server accepts the next when one leaves. */
class SocketChardev implements Chardev {
  readonly place: string;
  readonly #host: ChardevHost;
  readonly #events: ChardevEvents;
  readonly #server: number;
  #client: FdChardev | undefined;

  constructor(host: ChardevHost, config: { readonly path: string; readonly server: boolean }, events: ChardevEvents) {
    this.place = config.path;
    this.#host = host;
    this.#events = events;
    const { libc, scratch } = host;
    const fd = checked("socket", libc.syscall(SYS.socket, AF_UNIX, SOCK_STREAM_NONBLOCK_CLOEXEC, 0), "make a socket");
    const address = scratch.take(SOCKADDR_UN_BYTES);
    const view = new DataView(scratch.memory.buffer, address, SOCKADDR_UN_BYTES);
    view.setUint16(0, AF_UNIX, true);
    const bytes = new TextEncoder().encode(`${config.path}\0`);
    new Uint8Array(scratch.memory.buffer, address + 2, bytes.length).set(bytes);
    const name = scratch.memory.hva + address;
    try {
      if (config.server) this.#listen(fd, name, bytes.length + 2, config.path);
      else {
        const result = libc.syscall(SYS.connect, fd, name, bytes.length + 2);
        if (result < 0) throw socketError(config.path, "connect to", -result);
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#server = config.server ? fd : -1;
    if (!config.server) this.#serve(fd);
  }

  write(bytes: Uint8Array): number {
    // Without a client the bytes go nowhere, as on a serial port without a cable.
    return this.#client?.write(bytes) ?? bytes.length;
  }

  resumeInput(): void {
    this.#client?.resumeInput();
  }

  close(): void {
    this.#client?.close();
    if (this.#server < 0) return;
    this.#host.poller.unwatch(this.#server);
    closeSync(this.#server);
    unlinkSync(this.place);
  }

  #listen(fd: number, name: number, length: number, path: string): void {
    const { libc, poller } = this.#host;
    const bound = libc.syscall(SYS.bind, fd, name, length);
    if (bound < 0) throw socketError(path, "listen on", -bound);
    checked("listen", libc.syscall(SYS.listen, fd, 1), `listen on ${path}`);
    poller.watch(fd, Poll.in, () => {
      const client = libc.fast(SYS.accept4, fd, 0, 0, SOCK_STREAM_NONBLOCK_CLOEXEC & ~1);
      if (client >= 0) this.#serve(client);
    });
  }

  #serve(fd: number): void {
    this.#client?.close();
    const gone = (): void => {
      this.#client?.close();
      this.#client = undefined;
    };
    this.#client = new FdChardev(this.#host, fd, { place: this.place, input: true, gone }, this.#events);
    this.#events.writable();
  }
}

function socketError(path: string, what: string, errno: number): VmmError {
  const reason =
    errno === ERRNO.EADDRINUSE
      ? "the path exists already; remove it if no other process uses it"
      : errno === ERRNO.ECONNREFUSED || errno === ERRNO.ENOENT
        ? "nobody listens there"
        : `errno ${errno}`;
  return new VmmError("CONFIG", `Cannot ${what} the socket ${path}: ${reason}`, { path, errno });
}
