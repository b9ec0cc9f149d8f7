/** A Unix socket as a character device: one client at a time; a server takes the next when one leaves. */
import { rmSync } from "node:fs";
import { FdChardev, TransferBuffer } from "./fd-chardev.js";
import type { Chardev, ChardevEvents, ChardevHost } from "./fd-chardev.js";
import { SYS } from "./libc.js";
import { Poll } from "./poller.js";
import { connectTo, listenOn, SOCKET_FLAGS, SocketAddress } from "./sockets.js";

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
    const address = new SocketAddress(host.scratch, { kind: "unix", path: config.path });
    const fd = config.server ? listenOn(host.libc, address) : connectTo(host.libc, address);
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
      const client = libc.fast(SYS.accept4, this.#server, 0, 0, SOCKET_FLAGS);
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
      // What waits for room in a socket that is gone would wait for the next client: poll() tells of no room when the
      // other side has only ended its own half.
      this.#events.writable();
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
