/** A Unix socket as a character device: one client at a time; a server takes the next when one leaves. */
import { rmSync } from "node:fs";
import { VmmError } from "../../shared/errors.js";
import { FdChardev, TransferBuffer } from "./fd-chardev.js";
import type { Chardev, ChardevEvents, ChardevHost } from "./fd-chardev.js";
import { checked, ERRNO, SYS } from "./libc.js";
import { Poll } from "./poller.js";
import { errnoName } from "./syscalls.js";

/** <linux/socket.h>, <linux/un.h> */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const SOCKADDR_UN_BYTES = 110;

export interface SocketConfig {
  readonly path: string;
  readonly server: boolean;
}

export class SocketChardev implements Chardev {
  readonly place: string;
  readonly connected: Promise<void>;
  readonly #host: ChardevHost;
  readonly #events: ChardevEvents;
  readonly #buffer: TransferBuffer;
  /** The listening socket; -1 for a client. */
  readonly #server: number;
  #client: FdChardev | undefined;
  #resolveConnected: () => void = () => undefined;

  /** @throws VmmError CONFIG with one line that names the path */
  constructor(host: ChardevHost, config: SocketConfig, events: ChardevEvents) {
    this.place = config.path;
    this.connected = new Promise((resolve) => {
      this.#resolveConnected = resolve;
    });
    this.#host = host;
    this.#events = events;
    this.#buffer = new TransferBuffer(host.scratch);
    const fd = openSocket(host, config);
    this.#server = config.server ? fd : -1;
    if (config.server) this.#accept();
    else this.#serve(fd);
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
    closeSocket(this.#host, this.#server);
    rmSync(this.place, { force: true });
  }

  #accept(): void {
    const { libc, poller } = this.#host;
    poller.watch(this.#server, Poll.in, () => {
      const client = libc.fast(SYS.accept4, this.#server, 0, 0, SOCK_NONBLOCK_CLOEXEC);
      if (client < 0) return;
      // Whoever else connects waits in the socket's queue until this one has left.
      poller.unwatch(this.#server);
      this.#serve(client);
    });
  }

  #serve(fd: number): void {
    const gone = (): void => {
      this.#client?.close();
      this.#client = undefined;
      if (this.#server >= 0) this.#accept();
    };
    const close = (socket: number): void => {
      closeSocket(this.#host, socket);
    };
    const options = { place: this.place, buffer: this.#buffer, input: true, close, gone };
    this.#client = new FdChardev(this.#host, fd, options, this.#events);
    this.#resolveConnected();
    this.#host.settled();
    this.#events.writable();
  }
}

function closeSocket({ libc }: ChardevHost, fd: number): void {
  libc.syscall(SYS.close, fd);
}

/** A socket that listens, or is connected, at the path. */
function openSocket(host: ChardevHost, config: SocketConfig): number {
  const { libc, scratch } = host;
  const type = SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC;
  const fd = checked("socket", libc.syscall(SYS.socket, AF_UNIX, type, 0), "make a socket");
  const address = scratch.take(SOCKADDR_UN_BYTES);
  new DataView(scratch.memory.buffer).setUint16(address, AF_UNIX, true);
  const bytes = new TextEncoder().encode(`${config.path}\0`);
  new Uint8Array(scratch.memory.buffer, address + 2, SOCKADDR_UN_BYTES - 2).set(bytes);
  const name = scratch.memory.hva + address;
  const length = bytes.length + 2;
  try {
    if (!config.server) {
      const result = libc.syscall(SYS.connect, fd, name, length);
      if (result < 0) throw socketError(config.path, "connect to", -result);
      return fd;
    }
    const bound = libc.syscall(SYS.bind, fd, name, length);
    if (bound < 0) throw socketError(config.path, "listen on", -bound);
    checked("listen", libc.syscall(SYS.listen, fd, 1), `listen on ${config.path}`);
    return fd;
  } catch (error) {
    closeSocket(host, fd);
    throw error;
  }
}

function socketError(path: string, what: string, errno: number): VmmError {
  return new VmmError("CONFIG", `Cannot ${what} the socket ${path}: ${reason(what, errno)}`, { path, errno });
}

function reason(what: string, errno: number): string {
  switch (errno) {
    case ERRNO.EADDRINUSE:
      return "the path exists already; remove it if no other process uses it";
    case ERRNO.ECONNREFUSED:
      return "nobody listens there";
    case ERRNO.ENOENT:
      return what === "listen on" ? "there is no such folder" : "nobody listens there";
    case ERRNO.EACCES:
      return "permission denied";
    case ERRNO.EAGAIN:
      return "whoever listens there is busy";
    default:
      return errnoName(errno);
  }
}
