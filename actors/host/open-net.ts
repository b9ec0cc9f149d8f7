/** What network cards are plugged into: the host's descriptors, opened before the machine starts. */
import { VmmError } from "../../shared/errors.js";
import type { NetBackend } from "../../shared/config.js";
import { createEventfd } from "./eventfd.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import { boundTo, connectTo, listenOn, SocketAddress, socketPlace } from "./sockets.js";
import { openTap } from "./tap-wire.js";

/** Plain data: it goes to the card's thread as it is. */
export interface OpenNet {
  /**
   * The other end, -1 for none. The number stays the machine's as long as it lives: a connection that comes later is
   * duplicated onto it, so that nobody else has to know of it to close it.
   */
  readonly fd: number;
  /** Whether there is another end already. */
  readonly connected: boolean;
  /** The socket that listens; -1 for none. */
  readonly listener: number;
}

/** Where what has been opened is noted, so that it is given back whatever happens. */
export interface OpenNetHost {
  readonly libc: Libc;
  readonly scratch: Scratch;
  keep(fd: number): number;
  /** A path that was made, and goes with the machine. */
  keepPath(path: string): void;
}

/** @throws VmmError CONFIG with one line that names what cannot be opened */
export function openNet(host: OpenNetHost, backend: NetBackend): OpenNet {
  const { libc, scratch } = host;
  switch (backend.kind) {
    case "none":
      return { fd: -1, connected: false, listener: -1 };
    case "user":
      // The network is started when all else is there.
      return { fd: host.keep(createEventfd(libc)), connected: true, listener: -1 };
    case "tap":
      return { fd: host.keep(openTap(libc, scratch, backend.ifname)), connected: true, listener: -1 };
    case "dgram": {
      const fd = host.keep(boundTo(libc, new SocketAddress(scratch, socketPlace(backend.local))));
      if (typeof backend.local === "string") host.keepPath(backend.local);
      return { fd, connected: true, listener: -1 };
    }
    case "stream":
      return openStream(host, backend);
    default:
      return backend satisfies never;
  }
}

function openStream(host: OpenNetHost, backend: Extract<NetBackend, { kind: "stream" }>): OpenNet {
  const { libc, scratch } = host;
  const address = new SocketAddress(scratch, { kind: "unix", path: backend.path });
  if (backend.server) {
    const listener = host.keep(listenOn(libc, address));
    host.keepPath(backend.path);
    return { fd: host.keep(createEventfd(libc)), connected: false, listener };
  }
  try {
    return { fd: host.keep(connectTo(libc, address)), connected: true, listener: -1 };
  } catch (error) {
    // Somebody who tries again can wait for the other side from the start.
    if ((backend.reconnectMs ?? 0) === 0 || !(error instanceof VmmError)) throw error;
    return { fd: host.keep(createEventfd(libc)), connected: false, listener: -1 };
  }
}
