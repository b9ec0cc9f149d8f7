/**
 * A transaction: a picture of the store as it was at the start, changed privately, and committed when nothing that the
 * transaction depended on has changed meanwhile.
 *
 * [XENSTORE] xen.git docs/misc/xenstore.txt, TRANSACTION_START and TRANSACTION_END
 *
 * Conflicts are found node by node and aspect by aspect: who read a value conflicts with who wrote it, but two that each
 * create a child of the same node do not disturb each other.
 */
import type { DomId } from "../../shared/brand.js";
import { parentPath } from "./path.js";
import { DOM0 } from "./permissions.js";
import type { Permissions } from "./permissions.js";
import { Quota } from "./quotas.js";
import type { Budget } from "./quotas.js";
import type { StoreNode, Tree } from "./tree.js";
import { ALL_ASPECTS, Aspect, visibility } from "./view.js";
import type { Change, StoreView } from "./view.js";
import { Failure } from "./wire.js";
import type { Outcome } from "./wire.js";

/** What became of a path that the transaction changed; what it is now stands in the transaction's tree. */
interface Touched {
  /** Watches hear of it at the commit; those that only made way for it (new parents) keep quiet. */
  fires: boolean;
  exact: boolean;
  /** Bytes of value that the transaction holds for it. */
  bytes: number;
}

/** Bytes that we reckon for remembering one path, besides its characters. */
const PATH_OVERHEAD = 64;

export class Transaction implements StoreView {
  readonly #domid: DomId;
  readonly #budget: Budget;
  readonly #live: Tree;
  /** The store at the start; never changed. */
  readonly #base: Tree;
  readonly #tree: Tree;
  /** Aspects looked at, for each path. */
  readonly #observed = new Map<string, number>();
  readonly #touched = new Map<string, Touched>();
  /** The picture is not the one that the client saw (it was lost in a restore), so a commit must fail. */
  readonly #stale: boolean;
  /** Bytes of the budget that are ours. */
  #drawn = 0;
  #failure: Failure | undefined;

  constructor(domid: DomId, live: Tree, budget: Budget, stale = false) {
    this.#domid = domid;
    this.#budget = budget;
    this.#live = live;
    this.#base = live.fork();
    this.#tree = this.#base.fork();
    this.#stale = stale;
  }

  /** Set once the transaction has outgrown its quotas; it takes no more changes and cannot be committed. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  look(path: string, aspects: number): StoreNode | undefined {
    this.#observe(path, aspects);
    return this.#tree.get(path);
  }

  closest(path: string): { readonly path: string; readonly node: StoreNode } {
    return this.#tree.closest(path);
  }

  create(path: string, value: Uint8Array, permissions: Permissions): void {
    const above = this.#tree.closest(path).path;
    this.#observe(above, Aspect.permissions);
    const start = above === "/" ? 1 : above.length + 1;
    for (let slash = path.indexOf("/", start); slash > 0; slash = path.indexOf("/", slash + 1)) {
      const missing = path.slice(0, slash);
      this.#observe(missing, Aspect.existence);
      this.#touch(missing);
    }
    this.#fire(path, false, value.length);
    if (this.#failure === undefined) this.#tree.create(path, value, permissions);
  }

  setValue(path: string, value: Uint8Array): void {
    this.#fire(path, false, value.length);
    if (this.#failure === undefined) this.#tree.setValue(path, value);
  }

  setPermissions(path: string, permissions: Permissions): void {
    this.#fire(path, false);
    if (this.#failure === undefined) this.#tree.setPermissions(path, permissions);
  }

  remove(path: string): void {
    for (const step of this.#tree.walk(path)) {
      this.#observe(step.path, ALL_ASPECTS);
      this.#fire(step.path, step.path !== path, 0);
      if (this.#failure !== undefined) return;
    }
    this.#tree.remove(path);
  }

  entries(domid: number): number {
    return this.#tree.entries(domid);
  }

  /** Makes the changes in the store and says what watches are to hear, or fails and leaves the store as it is. */
  commit(): Outcome<Change[]> {
    if (this.#failure !== undefined) return new Failure("ENOMEM");
    if (this.#stale || this.#conflicts()) return new Failure("EAGAIN");
    const growth = this.#tree.entries(this.#domid) - this.#base.entries(this.#domid);
    if (this.#domid !== DOM0 && growth > 0 && this.#live.entries(this.#domid) + growth > Quota.entries) {
      return new Failure("ENOSPC");
    }
    for (const path of this.#touched.keys()) this.#apply(path);
    return this.#changes();
  }

  /** Gives back what the transaction drew on its connection's budget. Call once, at its end. */
  release(): void {
    this.#budget.draw(-this.#drawn);
    this.#drawn = 0;
    this.#observed.clear();
    this.#touched.clear();
  }

  #observe(path: string, aspects: number): void {
    const known = this.#observed.get(path);
    if (known === undefined) {
      if (this.#domid !== DOM0 && this.#observed.size >= Quota.transactionNodes)
        this.#failure ??= new Failure("ENOSPC");
      if (!this.#draw(path.length + PATH_OVERHEAD)) return;
    }
    this.#observed.set(path, (known ?? 0) | aspects);
  }

  #touch(path: string): Touched | undefined {
    const known = this.#touched.get(path);
    if (known !== undefined || !this.#draw(PATH_OVERHEAD)) return known;
    const touched = { fires: false, exact: true, bytes: 0 };
    this.#touched.set(path, touched);
    return touched;
  }

  #fire(path: string, exact: boolean, valueBytes?: number): void {
    const touched = this.#touch(path);
    if (touched === undefined) return;
    touched.fires = true;
    // An event that watches above the path also hear outdoes one that they do not.
    touched.exact &&= exact;
    if (valueBytes !== undefined && this.#draw(valueBytes - touched.bytes)) touched.bytes = valueBytes;
  }

  #draw(bytes: number): boolean {
    if (this.#failure === undefined && !this.#budget.draw(bytes)) this.#failure = new Failure("ENOMEM");
    if (this.#failure !== undefined) return false;
    this.#drawn += bytes;
    return true;
  }

  #conflicts(): boolean {
    for (const [path, aspects] of this.#observed) {
      const then = this.#base.get(path);
      const now = this.#live.get(path);
      if (then !== now && (then === undefined || now === undefined || differs(then, now, aspects))) return true;
    }
    return false;
  }

  /** Paths may come in any order: a parent that is created along with its child gets its own contents in its turn. */
  #apply(path: string): void {
    const wanted = this.#tree.get(path);
    const present = this.#live.get(path);
    if (wanted === undefined) {
      if (present !== undefined) this.#live.remove(path);
    } else if (present === undefined) {
      this.#live.create(path, wanted.value, wanted.permissions);
    } else {
      const before = this.#base.get(path);
      if (wanted.valueStamp !== before?.valueStamp) this.#live.setValue(path, wanted.value);
      if (wanted.permissionsStamp !== before?.permissionsStamp) this.#live.setPermissions(path, wanted.permissions);
    }
  }

  #changes(): Change[] {
    const changes: Change[] = [];
    for (const [path, { fires, exact }] of this.#touched) {
      const [then, now] = [this.#base.get(path), this.#tree.get(path)];
      // Created and removed again: nothing has happened.
      if (!fires || (then === undefined && now === undefined)) continue;
      const above = parentPath(path);
      changes.push({
        path,
        exact: exact && now === undefined,
        visibleBy: [
          ...visibility({ path, node: then, parent: this.#base.get(above) }),
          ...visibility({ path, node: now, parent: this.#tree.get(above) }),
        ],
      });
    }
    return changes;
  }
}

function differs(then: StoreNode, now: StoreNode, aspects: number): boolean {
  return (
    ((aspects & Aspect.value) !== 0 && then.valueStamp !== now.valueStamp) ||
    ((aspects & Aspect.permissions) !== 0 && then.permissionsStamp !== now.permissionsStamp) ||
    ((aspects & Aspect.children) !== 0 && then.childrenStamp !== now.childrenStamp)
  );
}
