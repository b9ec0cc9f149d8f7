/**
 * The far end of a network card's cable, watched by the card's thread: it waits for frames and room, and for the other
 * side to come, go, and come again.
 */
import type { NetConfig } from "../shared/config.js";
import { DatagramWire } from "./host/datagram-wire.js";
import type { HostWire, WireHost } from "./host/host-wire.js";
import { IdleWire } from "./host/idle-wire.js";
import { ERRNO, SYS } from "./host/libc.js";
import type { OpenNet } from "./host/open-net.js";
import { Poll } from "./host/poller.js";
import type { Poller } from "./host/poller.js";
import { SOCK_CLOEXEC, SOCKET_FLAGS, SocketAddress, socketPlace, SocketType } from "./host/sockets.js";
import { StreamWire } from "./host/stream-wire.js";
import { TapWire } from "./host/tap-wire.js";

export interface NetLinkHost extends WireHost {
  readonly poller: Poller;
  /** A descriptor that may stand where there is no connection. */
  readonly placeholder: number;
}

export interface NetLinkEvents {
  /** There is somebody at the other end now, or nobody any more, and why. */
  changed(up: boolean, reason: string): void;
}

/** Bits of what {@link NetLink.watch} waits for. */
export const LinkWants = { arrival: 1, room: 2 } as const;

/** When a connection that could not be taken is looked at again. */
const RETRY_MS = 250;

const UNWATCHED = -1;

export class NetLink {
  readonly wire: HostWire;
  readonly #host: NetLinkHost;
  readonly #open: OpenNet;
  readonly #events: NetLinkEvents;
  readonly #stream: StreamWire | undefined;
  /** Where a client connects to, again and again; undefined for others. */
  readonly #remote: SocketAddress | undefined;
  readonly #reconnectMs: number;
  #up: boolean;
  #watched: number = UNWATCHED;

  constructor(host: NetLinkHost, config: NetConfig, open: OpenNet, events: NetLinkEvents) {
    this.#host = host;
    this.#open = open;
    this.#events = events;
    this.wire = makeWire(host, config, open);
    this.#stream = this.wire instanceof StreamWire ? this.wire : undefined;
    const { backend } = config;
    const client = backend.kind === "stream" && !backend.server ? backend : undefined;
    this.#reconnectMs = client?.reconnectMs ?? 0;
    this.#remote =
      client === undefined || this.#reconnectMs === 0
        ? undefined
        : new SocketAddress(host.scratch, { kind: "unix", path: client.path });
    this.#up = open.connected;
  }

  get up(): boolean {
    return this.#up;
  }

  /** Waits for what the card wants, {@link LinkWants}; and while there is nobody, for somebody. */
  watch(wants: number): void {
    if (!this.#up) {
      this.#await();
      return;
    }
    const events = ((wants & LinkWants.arrival) !== 0 ? Poll.in : 0) | ((wants & LinkWants.room) !== 0 ? Poll.out : 0);
    if (events === this.#watched) return;
    this.#watched = events;
    this.#host.poller.watch(this.#open.fd, events, (ready) => {
      this.#ready(ready);
    });
  }

  /** Waits for nothing. */
  rest(): void {
    this.#unwatch();
    if (this.#open.listener >= 0) this.#host.poller.unwatch(this.#open.listener);
  }

  /** After the wire has been used: sees whether it has come to its end. */
  settle(): void {
    const { closed } = this.wire;
    if (!this.#up || closed === undefined) return;
    this.#unwatch();
    this.#up = false;
    // The other side hears of it, if it is still there.
    if (this.#stream !== undefined) this.#put(this.#host.placeholder);
    this.#events.changed(false, closed);
  }

  #ready(ready: number): void {
    if ((ready & Poll.out) !== 0) this.wire.flush();
    // An error, or the end, that nobody looks for now: waiting for it again would not wait.
    const reads = (this.#watched & Poll.in) !== 0;
    if ((ready & (Poll.error | Poll.hangUp)) !== 0 && !reads) this.wire.lookForEnd();
  }

  /** Waits for a client, or for the time to try again. */
  #await(): void {
    const { listener } = this.#open;
    if (this.#watched !== UNWATCHED) return;
    if (listener >= 0) {
      this.#watched = 0;
      this.#host.poller.watch(listener, Poll.in, () => {
        this.#accept();
      });
    } else if (this.#remote !== undefined) {
      const remote = this.#remote;
      this.#later(this.#reconnectMs, () => {
        this.#connect(remote);
      });
    }
  }

  /** Does `what` in a while, unless the link rests before; the next {@link watch} waits again. */
  #later(ms: number, what: () => void): void {
    this.#watched = 0;
    const look = (): void => {
      this.#watched = UNWATCHED;
      what();
    };
    this.#host.poller.lookLater(this.#open.fd, look, ms);
  }

  #accept(): void {
    const { libc, poller } = this.#host;
    const { listener } = this.#open;
    const client = libc.fast(SYS.accept4, listener, 0, 0, SOCKET_FLAGS);
    if (client >= 0) {
      this.#connected(client);
    } else if (client !== -ERRNO.EAGAIN && client !== -ERRNO.EINTR) {
      // Whoever waits there goes on waiting: the process has no descriptors left now.
      poller.unwatch(listener);
      this.#later(RETRY_MS, () => undefined);
    }
  }

  #connect(remote: SocketAddress): void {
    const { libc } = this.#host;
    const fd = remote.open(libc, SocketType.stream);
    if (fd < 0) return;
    if (libc.fast(SYS.connect, fd, remote.hva, remote.length) < 0) libc.fast(SYS.close, fd);
    else this.#connected(fd);
  }

  #connected(fd: number): void {
    this.#put(fd);
    this.#host.libc.fast(SYS.close, fd);
    // Whoever else connects waits in the socket's queue until this one has left.
    this.rest();
    this.#stream?.connected();
    this.#up = true;
    this.#events.changed(true, "the other side connected");
  }

  #put(fd: number): void {
    this.#host.libc.fast(SYS.dup3, fd, this.#open.fd, SOCK_CLOEXEC);
  }

  #unwatch(): void {
    this.#watched = UNWATCHED;
    this.#host.poller.unwatch(this.#open.fd);
  }
}

function makeWire(host: WireHost, { backend }: NetConfig, { fd }: OpenNet): HostWire {
  switch (backend.kind) {
    case "none":
      return new IdleWire();
    case "user":
    case "stream":
      return new StreamWire(host, fd);
    case "tap":
      return new TapWire(host, fd);
    case "dgram":
      return new DatagramWire(host, fd, new SocketAddress(host.scratch, socketPlace(backend.remote)));
    default:
      return backend satisfies never;
  }
}
