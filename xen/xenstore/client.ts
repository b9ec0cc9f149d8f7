/**
 * The store as our own back ends use it: direct calls with dom0's rights, and callbacks for watches.
 *
 * Callbacks are made from `XenStore.dispatch()` only. For each watch a path waits at most once, so a guest that writes a
 * node a million times between two dispatches costs one callback (XSA-349).
 */
import type { DomId } from "../../shared/brand.js";
import {
  changePermissions,
  makeDirectory,
  readDirectory,
  readPermissions,
  readValue,
  removeNode,
  writeValue,
} from "./operations.js";
import type { Session } from "./operations.js";
import { resolvePath } from "./path.js";
import { DOM0, formatPermissions, parsePermissions } from "./permissions.js";
import { Budget } from "./quotas.js";
import { Transaction } from "./transaction.js";
import type { Tree } from "./tree.js";
import { LiveView } from "./view.js";
import type { Change } from "./view.js";
import type { Watch, Watcher, WatchTable } from "./watches.js";
import { bytesText, Failure, textBytes } from "./wire.js";
import type { Outcome } from "./wire.js";

/** Reads and writes, at once or within a transaction. Paths are absolute. Values are text, one byte a character. */
export interface StoreNodes {
  /** The value, or undefined when there is no such node. */
  read(path: string): string | undefined;
  /** The value as an unsigned decimal number below 2^53; undefined when it is missing or anything else. */
  readNumber(path: string): number | undefined;
  exists(path: string): boolean;
  /** Names of the children; none when there is no such node. */
  list(path: string): string[];
  /** Entries such as "n0", "r1"; the first is the owner's. */
  permissions(path: string): string[];
  /** Stores a value; creates the node and what is missing above it. @throws Error when `path` is not legal */
  write(path: string, value: string | number): void;
  mkdir(path: string): void;
  /** Removes a node and all below; a missing one is fine. */
  remove(path: string): void;
  setPermissions(path: string, permissions: readonly string[]): void;
}

export interface StoreWatch {
  close(): void;
}

export interface StoreClient extends StoreNodes {
  /** Calls back once soon, and then after changes at or below `path`, with the path that changed. */
  watch(path: string, callback: (path: string) => void): StoreWatch;
  /** Makes all of `work`'s changes at once, or none when it throws. */
  transaction<T>(work: (nodes: StoreNodes) => T): T;
}

export interface StoreClientHost {
  readonly watcher: LocalWatcher;
  readonly watches: WatchTable;
  tree(): Tree;
  publish(changes: readonly Change[]): void;
}

/** Paths that wait for one watch; beyond, one event for the watch's own path says that anything may have changed. */
const MAX_PENDING = 1024;

/** Collects a client's events until it is time to call back. */
export class LocalWatcher implements Watcher {
  readonly domid: DomId = DOM0;
  readonly #ready: (watcher: LocalWatcher) => void;
  readonly #callbacks = new Map<string, (path: string) => void>();
  /** Changed paths, for each watch by its token. */
  #pending = new Map<string, Set<string>>();
  #nextToken = 0;

  constructor(ready: (watcher: LocalWatcher) => void) {
    this.#ready = ready;
  }

  /** A token of its own for `callback`. */
  register(callback: (path: string) => void): string {
    const token = `${this.#nextToken++}`;
    this.#callbacks.set(token, callback);
    return token;
  }

  unregister(token: string): void {
    this.#callbacks.delete(token);
    this.#pending.delete(token);
  }

  notice(watch: Watch, path: string): void {
    const paths = this.#pending.get(watch.token) ?? new Set<string>();
    if (paths.size >= MAX_PENDING) {
      paths.clear();
      paths.add(watch.path);
    } else {
      paths.add(path);
    }
    this.#pending.set(watch.token, paths);
    this.#ready(this);
  }

  deliver(): void {
    const pending = this.#pending;
    this.#pending = new Map();
    for (const [token, paths] of pending) {
      // Looked up for each path: a callback may have closed the watch.
      for (const path of paths) this.#callbacks.get(token)?.(path);
    }
  }

  clear(): void {
    this.#callbacks.clear();
    this.#pending.clear();
  }
}

export function storeClient(host: StoreClientHost): StoreClient {
  function now<T>(operation: (session: Session) => Outcome<T>): Outcome<T> {
    const view = new LiveView(host.tree());
    const outcome = operation({ domid: DOM0, view });
    host.publish(view.changes);
    return outcome;
  }

  function watch(text: string, callback: (path: string) => void): StoreWatch {
    const path = legal("watch", text);
    const token = host.watcher.register(callback);
    const added: Watch = { path, token, skip: 0 };
    host.watches.add(host.watcher, added, Infinity);
    host.watcher.notice(added, path);
    return {
      close: () => {
        host.watches.remove(host.watcher, added);
        host.watcher.unregister(token);
      },
    };
  }

  function transaction<T>(work: (nodes: StoreNodes) => T): T {
    const view = new Transaction(DOM0, host.tree(), new Budget(Infinity));
    const result = work(storeNodes((operation) => operation({ domid: DOM0, view })));
    host.publish(required("commit", "the transaction", view.commit()));
    return result;
  }

  return { ...storeNodes(now), watch, transaction };
}

/** Carries out an operation now, or within a transaction. */
type Run = <T>(operation: (session: Session) => Outcome<T>) => Outcome<T>;

function storeNodes(run: Run): StoreNodes {
  function read(path: string): string | undefined {
    const value = run((session) => readValue(session, path));
    return value instanceof Failure ? undefined : bytesText(value);
  }
  return {
    read,
    readNumber: (path) => parseUnsigned(read(path)),
    exists: (path) => !(run((session) => readValue(session, path)) instanceof Failure),
    list: (path) => {
      const node = run((session) => readDirectory(session, path));
      return node instanceof Failure ? [] : [...node.children.keys()];
    },
    permissions: (path) => {
      const permissions = run((session) => readPermissions(session, path));
      return permissions instanceof Failure ? [] : formatPermissions(permissions);
    },
    write: (path, value) => {
      const bytes = textBytes(`${value}`);
      required(
        "write",
        path,
        run((session) => writeValue(session, legal("write", path), bytes)),
      );
    },
    mkdir: (path) => {
      required(
        "create",
        path,
        run((session) => makeDirectory(session, legal("create", path))),
      );
    },
    remove: (path) => {
      const outcome = run((session) => removeNode(session, legal("remove", path)));
      if (outcome instanceof Failure && outcome.errno !== "ENOENT") required("remove", path, outcome);
    },
    setPermissions: (path, entries) => {
      const permissions = parsePermissions(entries);
      if (permissions === undefined) {
        throw new RangeError(`Cannot set permissions of ${path}: ${entries.join(",")} is malformed`);
      }
      required(
        "set permissions of",
        path,
        run((session) => changePermissions(session, path, permissions)),
      );
    },
  };
}

/** An unsigned decimal number below 2^53, written without sign, space or exponent. */
export function parseUnsigned(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

function legal(verb: string, text: string): string {
  const path = resolvePath(text, DOM0);
  if (path === undefined || path !== text) throw new RangeError(`Cannot ${verb} ${text}: it is not an absolute path`);
  return path;
}

/** Dom0 may do everything, so a refusal is a mistake of the caller's. */
function required<T>(verb: string, what: string, outcome: Outcome<T>): T {
  if (outcome instanceof Failure) throw new Error(`Cannot ${verb} ${what}: ${outcome.errno}`);
  return outcome;
}
