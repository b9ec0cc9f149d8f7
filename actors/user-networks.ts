/** The user-mode networks of a machine: a passt process for each, from before the start to after the end. */
import type { NetConfig } from "../shared/config.js";
import type { Log } from "../shared/log.js";
import { checked, SYS } from "./host/libc.js";
import type { Libc } from "./host/libc.js";
import type { Scratch } from "./host/kvm.js";
import type { OpenNet } from "./host/open-net.js";
import type { Passt } from "./host/passt.js";
import { SOCK_CLOEXEC } from "./host/sockets.js";

export interface UserNetworksHost {
  readonly libc: Libc;
  readonly scratch: Scratch;
  readonly nets: readonly NetConfig[];
  /** What each of them is plugged into. */
  readonly opened: readonly OpenNet[];
}

export class UserNetworks {
  readonly #host: UserNetworksHost;
  readonly #running: Passt[] = [];
  #ended = false;

  constructor(host: UserNetworksHost) {
    this.#host = host;
  }

  /**
   * Starts those that the configuration has, and plugs the cards in.
   *
   * @throws VmmError with one line that says why one cannot be; the others wait for {@link end}
   */
  async start(log: Log): Promise<void> {
    const { nets, opened } = this.#host;
    const results = await Promise.allSettled(nets.map((net, i) => this.#start(net, opened[i]?.fd ?? -1, log)));
    // Not before all have settled: none may be plugged in when everything is given back.
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** Waits until all are gone: the cards' ends of the sockets are closed. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#running.splice(0).map((passt) => passt.end()));
  }

  async #start({ id, mac, backend }: NetConfig, fd: number, log: Log): Promise<void> {
    if (backend.kind !== "user") return;
    const { libc } = this.#host;
    // What starts processes takes Node.js a while to load, and few machines have it
    const { Passt } = await import("./host/passt.js");
    if (this.#ended) return;
    const passt = Passt.start(this.#host, { hostForwards: backend.hostForwards ?? [], mac });
    this.#running.push(passt);
    try {
      await passt.ready();
      checked("dup3", libc.syscall(SYS.dup3, passt.fd, fd, SOCK_CLOEXEC), "plug a network card in");
    } finally {
      libc.syscall(SYS.close, passt.fd);
    }
    passt.onEnd((line) => {
      log.warn(line, { net: id });
    });
  }
}
