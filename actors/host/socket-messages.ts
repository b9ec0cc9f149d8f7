/** sendmsg and recvmsg with a list of pieces of memory, never blocking and without signals. */
import type { Iovecs } from "./iovecs.js";
import { SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import type { SocketAddress } from "./sockets.js";

/** <bits/socket.h> */
const MSG_PEEK = 0x2;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** struct msghdr of x86-64, <bits/types/struct_msghdr.h>. */
const MSGHDR_BYTES = 56;
const Msghdr = { name: 0, nameLength: 8, iovecs: 16, iovecCount: 24 } as const;

export class SocketMessages {
  readonly #libc: Libc;
  readonly #view: DataView;
  readonly #at: number;
  readonly #hva: number;

  constructor(libc: Libc, scratch: Scratch) {
    this.#libc = libc;
    this.#view = new DataView(scratch.memory.buffer);
    this.#at = scratch.take(MSGHDR_BYTES);
    this.#hva = scratch.memory.hva + this.#at;
  }

  /** Bytes sent, or -errno. `to` for a socket that is not connected. */
  send(fd: number, iovecs: Iovecs, to?: SocketAddress): number {
    this.#set(iovecs, to);
    return this.#libc.fast(SYS.sendmsg, fd, this.#hva, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /** Bytes received, or -errno. */
  receive(fd: number, iovecs: Iovecs): number {
    this.#set(iovecs, undefined);
    return this.#libc.fast(SYS.recvmsg, fd, this.#hva, MSG_DONTWAIT);
  }

  /** The length of the datagram that is next, or -errno. */
  peekLength(fd: number): number {
    return this.#libc.fast(SYS.recvfrom, fd, 0, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT, 0);
  }

  #set(iovecs: Iovecs, to: SocketAddress | undefined): void {
    this.#view.setBigUint64(this.#at + Msghdr.name, BigInt(to?.hva ?? 0), true);
    this.#view.setUint32(this.#at + Msghdr.nameLength, to?.length ?? 0, true);
    this.#view.setBigUint64(this.#at + Msghdr.iovecs, BigInt(iovecs.hva), true);
    this.#view.setUint32(this.#at + Msghdr.iovecCount, iovecs.count, true);
  }
}
