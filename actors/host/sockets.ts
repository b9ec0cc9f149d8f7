/** Sockets by system calls: addresses in scratch memory, and opening one with an error line for a person. */
import { VmmError } from "../../shared/errors.js";
import { checked, ERRNO, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import { errnoName } from "./syscalls.js";

/** <bits/socket.h> */
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SocketType = { stream: 1, datagram: 2 } as const;
export type SocketTypeCode = (typeof SocketType)[keyof typeof SocketType];
/** For accept4() too. */
export const SOCKET_FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;
/** struct sockaddr_un of <linux/un.h>, the largest of those that we use; sockaddr_in and sockaddr_in6 of <linux/in.h>. */
const SOCKADDR_UN_BYTES = 110;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

export type SocketPlace =
  | { readonly kind: "unix"; readonly path: string }
  /** `host` is an IPv4 or IPv6 address in its usual form. */
  | { readonly kind: "inet"; readonly host: string; readonly port: number };

/** The path of a Unix socket, or an address and a port, as configurations have them. */
export function socketPlace(end: string | { readonly host: string; readonly port: number }): SocketPlace {
  return typeof end === "string" ? { kind: "unix", path: end } : { kind: "inet", host: end.host, port: end.port };
}

/** A struct sockaddr that stays where it is for as long as the thread lives. */
export class SocketAddress {
  readonly place: SocketPlace;
  /** Host address and length of the struct. */
  readonly hva: number;
  readonly length: number;
  readonly #family: number;

  constructor(scratch: Scratch, place: SocketPlace) {
    this.place = place;
    const at = scratch.take(SOCKADDR_UN_BYTES);
    this.hva = scratch.memory.hva + at;
    const view = new DataView(scratch.memory.buffer, at, SOCKADDR_UN_BYTES);
    const bytes = new Uint8Array(scratch.memory.buffer, at, SOCKADDR_UN_BYTES).fill(0);
    if (place.kind === "unix") {
      this.#family = AF_UNIX;
      const path = new TextEncoder().encode(`${place.path}\0`);
      bytes.set(path, 2);
      this.length = path.length + 2;
    } else {
      view.setUint16(2, place.port);
      if (isIpv6(place.host)) {
        this.#family = AF_INET6;
        bytes.set(ipv6Bytes(place.host), 8);
        this.length = SOCKADDR_IN6_BYTES;
      } else {
        this.#family = AF_INET;
        bytes.set(place.host.split(".").map(Number), 4);
        this.length = SOCKADDR_IN_BYTES;
      }
    }
    view.setUint16(0, this.#family, true);
  }

  /** For a person. */
  get text(): string {
    return placeText(this.place);
  }

  /** A socket of this address's family, that does not block; or -errno. */
  open(libc: Libc, type: SocketTypeCode): number {
    return libc.syscall(SYS.socket, this.#family, type | SOCKET_FLAGS, 0);
  }
}

export function placeText(place: SocketPlace): string {
  if (place.kind === "unix") return place.path;
  return isIpv6(place.host) ? `[${place.host}]:${place.port}` : `${place.host}:${place.port}`;
}

function isIpv6(host: string): boolean {
  return host.includes(":");
}

/** @throws VmmError CONFIG with one line that names the address */
export function listenOn(libc: Libc, address: SocketAddress): number {
  return prepared(libc, address, SocketType.stream, (fd) => {
    bindTo(libc, fd, address, "listen on");
    checked("listen", libc.syscall(SYS.listen, fd, 1), `listen on ${address.text}`);
  });
}

/** @throws VmmError CONFIG with one line that names the address */
export function connectTo(libc: Libc, address: SocketAddress): number {
  return prepared(libc, address, SocketType.stream, (fd) => {
    const result = libc.syscall(SYS.connect, fd, address.hva, address.length);
    if (result < 0) throw socketError(address, "connect to", -result);
  });
}

/**
 * A datagram socket at `address`.
 *
 * @throws VmmError CONFIG with one line that names the address
 */
export function boundTo(libc: Libc, address: SocketAddress): number {
  return prepared(libc, address, SocketType.datagram, (fd) => {
    bindTo(libc, fd, address, "receive at");
  });
}

function prepared(libc: Libc, address: SocketAddress, type: SocketTypeCode, prepare: (fd: number) => void): number {
  const fd = checked("socket", address.open(libc, type), "make a socket");
  try {
    prepare(fd);
    return fd;
  } catch (error) {
    libc.syscall(SYS.close, fd);
    throw error;
  }
}

function bindTo(libc: Libc, fd: number, address: SocketAddress, what: string): void {
  const result = libc.syscall(SYS.bind, fd, address.hva, address.length);
  if (result < 0) throw socketError(address, what, -result);
}

function socketError(address: SocketAddress, what: string, errno: number): VmmError {
  const { text, place } = address;
  return new VmmError("CONFIG", `Cannot ${what} the socket ${text}: ${reason(place, what, errno)}`, {
    path: text,
    errno,
  });
}

function reason(place: SocketPlace, what: string, errno: number): string {
  switch (errno) {
    case ERRNO.EADDRINUSE:
      return place.kind === "unix"
        ? "the path exists already; remove it if no other process uses it"
        : "another process uses the port";
    case ERRNO.EADDRNOTAVAIL:
      return "the host has no such address";
    case ERRNO.ECONNREFUSED:
      return "nobody listens there";
    case ERRNO.ENOENT:
      return what === "connect to" ? "nobody listens there" : "there is no such folder";
    case ERRNO.EACCES:
      return "permission denied";
    case ERRNO.EAGAIN:
      return "whoever listens there is busy";
    default:
      return errnoName(errno);
  }
}

/** The 16 bytes of an IPv6 address; its zone, if any, is left out. */
function ipv6Bytes(text: string): Uint8Array {
  const [head = "", tail] = withoutDots(text.replace(/%.*/, "")).split("::");
  const groups = (part: string): number[] => (part === "" ? [] : part.split(":").map((group) => parseInt(group, 16)));
  const first = groups(head);
  const last = groups(tail ?? "");
  const words = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(words.flatMap((word) => [word >>> 8, word & 0xff]));
}

/** `::ffff:192.0.2.1` as `::ffff:c000:201`. */
function withoutDots(text: string): string {
  const match = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (match === null) return text;
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(2).map(Number);
  return `${match[1] ?? ""}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
