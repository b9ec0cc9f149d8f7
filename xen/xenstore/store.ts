/**
 * The xenstore server: one tree, those who talk to it by messages (the guest), and those who call it (our back ends).
 *
 * [XENSTORE] xen.git docs/misc/xenstore.txt
 *
 * It lives on one thread and is synchronous. Nothing calls back while it works: replies, events and callbacks wait until
 * `dispatch()`, which the owning thread calls after each thing it has done.
 */
import type { DomId } from "../../shared/brand.js";
import { printable } from "../../shared/log.js";
import { LocalWatcher, storeClient } from "./client.js";
import type { StoreClient } from "./client.js";
import { Connection } from "./connection.js";
import type { ConnectionSink } from "./connection.js";
import { DOM0, formatPermissions, parsePermissions, withoutDomain } from "./permissions.js";
import { answer, requestName } from "./requests.js";
import { Tree } from "./tree.js";
import { LiveView } from "./view.js";
import type { Change } from "./view.js";
import { WatchTable } from "./watches.js";
import { bytesText, Failure, nulTerminated, textBytes, XsType } from "./wire.js";
import type { Message } from "./wire.js";

/** Sees each request: who, which, about what (its first word, a path in most), and "OK" or the error's name. */
export type StoreTrace = (domid: DomId, request: string, about: string, outcome: string) => void;

/** The store's contents as plain data; values are strings of the characters U+0000..U+00FF. */
export interface StoreState {
  readonly version: number;
  readonly ticks: number;
  readonly introduced: readonly number[];
  /** Parents before their children. */
  readonly nodes: readonly (readonly [path: string, value: string, permissions: readonly string[]])[];
}

/** Special nodes: who may read one is told of the domains that come or go, [XENSTORE] WATCH. */
const INTRODUCE_DOMAIN = "@introduceDomain";
const RELEASE_DOMAIN = "@releaseDomain";

const EMPTY = new Uint8Array(0);
/** A path's longest, with some room: what a trace shows of a request. */
const MAX_ABOUT = 3100;

export class XenStore {
  readonly #trace: StoreTrace | undefined;
  readonly #watches = new WatchTable();
  readonly #introduced = new Set<number>();
  readonly #connections = new Set<Connection>();
  /** Connections with messages to send, and callers with callbacks to make. */
  readonly #ready = new Set<Connection>();
  readonly #callers = new Set<LocalWatcher>();
  #tree: Tree = emptyStore();

  constructor(trace?: StoreTrace) {
    this.#trace = trace;
  }

  /** A client that talks by messages. Its `sink` is flushed in `dispatch()` when there is something to send. */
  connect(domid: DomId, sink: ConnectionSink): Connection {
    const connection = new Connection(domid, sink, {
      watches: this.#watches,
      tree: () => this.#tree,
      serve: (from, message) => {
        this.#serve(from, message);
      },
      outputReady: (from) => this.#ready.add(from),
    });
    this.#connections.add(connection);
    return connection;
  }

  /** Ends a connection: its watches and transactions are gone. */
  disconnect(connection: Connection): void {
    connection.reset();
    this.#ready.delete(connection);
    this.#connections.delete(connection);
  }

  /** A client within our own program, with dom0's rights. */
  client(): StoreClient {
    const watcher = new LocalWatcher((ready) => this.#callers.add(ready));
    return storeClient({
      watcher,
      watches: this.#watches,
      tree: () => this.#tree,
      publish: (changes) => {
        this.#publish(changes);
      },
    });
  }

  /** A domain has come to be: whoever watches @introduceDomain hears of it. */
  introduce(domid: DomId): void {
    this.#introduced.add(domid);
    this.#publishSpecial(INTRODUCE_DOMAIN);
  }

  /** A domain is gone: no permission of its remains, dom0 owns what it left, and @releaseDomain fires. */
  release(domid: DomId): void {
    this.#introduced.delete(domid);
    for (const connection of [...this.#connections].filter((other) => other.domid === domid)) {
      this.disconnect(connection);
    }
    const stale: string[] = [];
    for (const top of ["/", ...this.#tree.specials()]) {
      for (const { path, node } of this.#tree.walk(top)) {
        if (node.permissions.some((entry) => entry.domid === domid)) stale.push(path);
      }
    }
    for (const path of stale) {
      const node = this.#tree.get(path);
      if (node !== undefined) this.#tree.setPermissions(path, withoutDomain(node.permissions, domid));
    }
    this.#publishSpecial(RELEASE_DOMAIN);
  }

  /** Sends what waits and calls back those who watch, until all is quiet. */
  dispatch(): void {
    while (this.#ready.size > 0 || this.#callers.size > 0) {
      for (const connection of this.#ready) {
        this.#ready.delete(connection);
        connection.sink.flush();
      }
      for (const watcher of this.#callers) {
        this.#callers.delete(watcher);
        watcher.deliver();
      }
    }
  }

  /** Back to the store of a machine that was just switched on. Callers must write their nodes and set watches anew. */
  reset(): void {
    this.#tree = emptyStore();
    this.#introduced.clear();
    this.#watches.clear();
    for (const connection of this.#connections) connection.reset();
    this.#ready.clear();
    for (const watcher of this.#callers) watcher.clear();
    this.#callers.clear();
  }

  save(): StoreState {
    const tops = [...this.#tree.specials(), "/"];
    return {
      version: 1,
      ticks: this.#tree.ticks,
      introduced: [...this.#introduced],
      nodes: tops.flatMap((top) =>
        Array.from(
          this.#tree.walk(top),
          ({ path, node }) => [path, bytesText(node.value), formatPermissions(node.permissions)] as const,
        ),
      ),
    };
  }

  /**
   * Puts saved contents in place of the present ones. Nothing fires. Connections restore themselves afterwards; callers
   * set their watches anew.
   *
   * @throws RangeError when the state is of another version or malformed
   */
  restore(state: StoreState): void {
    if (state.version !== 1) {
      throw new RangeError(`Cannot restore xenstore: version ${state.version} is not known`);
    }
    const tree = emptyStore();
    for (const [path, value, entries] of state.nodes) {
      const permissions = parsePermissions(entries);
      if (permissions === undefined) throw new RangeError(`Cannot restore xenstore: ${path} has bad permissions`);
      if (tree.get(path) === undefined) tree.create(path, EMPTY, permissions);
      tree.setPermissions(path, permissions);
      tree.setValue(path, textBytes(value));
    }
    tree.advanceTo(state.ticks);
    this.reset();
    this.#tree = tree;
    for (const domid of state.introduced) this.#introduced.add(domid);
  }

  #serve(connection: Connection, message: Message): void {
    const live = new LiveView(this.#tree);
    const result = answer(connection, message, { live, watches: this.#watches, introduced: this.#introduced });
    const failed = result instanceof Failure;
    if (this.#trace !== undefined) {
      const outcome = failed ? result.errno : "OK";
      this.#trace(connection.domid, requestName(message.type), firstWord(message.payload), outcome);
    }
    const { reqId, txId } = message;
    if (failed) {
      connection.reply({ type: XsType.error, reqId, txId, payload: nulTerminated([result.errno]) });
      return;
    }
    // The reply goes first, so that a client knows of its watch before the watch fires.
    connection.reply({ type: message.type, reqId, txId, payload: result.payload });
    if (result.watch !== undefined) connection.notice(result.watch, result.watch.path.slice(result.watch.skip));
    this.#publish(result.changes ?? []);
  }

  #publish(changes: readonly Change[]): void {
    for (const change of changes) this.#watches.publish(change);
  }

  #publishSpecial(path: string): void {
    const node = this.#tree.get(path);
    if (node !== undefined) this.#watches.publish({ path, exact: false, visibleBy: [node.permissions] });
  }
}

/** What xenstored has before any domain: the way to its own nodes, and the special ones. */
function emptyStore(): Tree {
  const tree = new Tree();
  for (const path of ["/tool/xenstored", INTRODUCE_DOMAIN, RELEASE_DOMAIN]) {
    tree.create(path, EMPTY, [{ domid: DOM0, access: 0 }]);
  }
  return tree;
}

/** What comes before the first NUL, fit for a terminal. */
function firstWord(payload: Uint8Array): string {
  const end = payload.indexOf(0);
  return printable(bytesText(payload.subarray(0, end < 0 ? MAX_ABOUT : Math.min(end, MAX_ABOUT))));
}
