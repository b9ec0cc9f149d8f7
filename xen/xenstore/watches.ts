/**
 * Watches: who wants to hear of changes at and below which paths.
 *
 * [XENSTORE] xen.git docs/misc/xenstore.txt, WATCH
 */
import type { DomId } from "../../shared/brand.js";
import { domainPath, isRelative, isWithin } from "./path.js";
import { Access, accessFor } from "./permissions.js";
import { Quota } from "./quotas.js";
import type { Change } from "./view.js";
import { Failure } from "./wire.js";
import type { Outcome } from "./wire.js";

export interface Watch {
  /** Absolute or special. */
  readonly path: string;
  /** The client's own, returned with each event. */
  readonly token: string;
  /** Characters that an event's path is shortened by: a watch set by a relative path is told relative ones. */
  readonly skip: number;
}

/** A client with watches. It queues what it is told: nothing happens while the store is at work. */
export interface Watcher {
  readonly domid: DomId;
  /** `path` as the client is to see it. */
  notice(watch: Watch, path: string): void;
}

/** The watch that a client of `domid` means by `text`, which resolves to `path`. */
export function watchFor(text: string, path: string, token: string, domid: DomId): Watch {
  return { path, token, skip: isRelative(text) ? domainPath(domid).length + 1 : 0 };
}

export class WatchTable {
  readonly #watches = new Map<Watcher, Watch[]>();

  /** Adds `watch` and tells its watcher of it. `limit`: how many the watcher may have. */
  add(watcher: Watcher, watch: Watch, limit: number = Quota.watches): Outcome<true> {
    const own = this.of(watcher);
    if (own.some((other) => same(other, watch))) return new Failure("EEXIST");
    if (own.length >= limit) return new Failure("E2BIG");
    this.#watches.set(watcher, [...own, watch]);
    return true;
  }

  remove(watcher: Watcher, watch: Omit<Watch, "skip">): Outcome<true> {
    const own = this.of(watcher);
    const others = own.filter((other) => !same(other, watch));
    if (others.length === own.length) return new Failure("ENOENT");
    if (others.length === 0) this.#watches.delete(watcher);
    else this.#watches.set(watcher, others);
    return true;
  }

  removeAll(watcher: Watcher): void {
    this.#watches.delete(watcher);
  }

  clear(): void {
    this.#watches.clear();
  }

  of(watcher: Watcher): readonly Watch[] {
    return this.#watches.get(watcher) ?? [];
  }

  /** Tells all who watch the changed path, and may know of it. */
  publish(change: Change): void {
    for (const [watcher, watches] of this.#watches) {
      if (!change.visibleBy.some((permissions) => (accessFor(permissions, watcher.domid) & Access.read) !== 0))
        continue;
      for (const watch of watches) {
        const heard = change.exact ? change.path === watch.path : isWithin(change.path, watch.path);
        if (heard) watcher.notice(watch, change.path.slice(watch.skip));
      }
    }
  }
}

function same(a: Omit<Watch, "skip">, b: Omit<Watch, "skip">): boolean {
  return a.path === b.path && a.token === b.token;
}
