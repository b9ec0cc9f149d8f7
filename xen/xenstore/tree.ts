/**
 * The store's nodes, copied on write.
 *
 * A fork shares all nodes with its origin. A tree changes a node in place only when it has made that node itself since its
 * last fork (same epoch); other nodes are replaced by copies along the path. Nothing here recurses: a guest may nest a
 * thousand levels. Children are kept in Maps, so that `__proto__` is a name like any other.
 */
import { childPath, parentPath, pathSteps } from "./path.js";
import { DOM0, ownerOf } from "./permissions.js";
import type { Permissions } from "./permissions.js";

export interface StoreNode {
  readonly value: Uint8Array;
  readonly permissions: Permissions;
  /** In the order of their creation. */
  readonly children: ReadonlyMap<string, StoreNode>;
  /** Bytes of the children's names, each with its NUL: the size of a DIRECTORY reply. */
  readonly childBytes: number;
  /** When each part last changed, in ticks of the store's clock: equal stamps, equal contents. */
  readonly valueStamp: number;
  readonly permissionsStamp: number;
  readonly childrenStamp: number;
}

interface OwnNode extends StoreNode {
  /** Epoch of the tree that may change this object. */
  readonly epoch: number;
  value: Uint8Array;
  permissions: Permissions;
  readonly children: Map<string, OwnNode>;
  childBytes: number;
  valueStamp: number;
  permissionsStamp: number;
  childrenStamp: number;
}

export interface WalkStep {
  readonly path: string;
  readonly node: StoreNode;
  readonly parent: StoreNode | undefined;
}

/** Ticks at each change and each fork; shared by a tree and its forks, so that no stamp is ever seen twice. */
interface Clock {
  ticks: number;
}

const EMPTY = new Uint8Array(0);

export class Tree {
  readonly #clock: Clock;
  /** Nodes for each owner: what the entry quota counts. */
  readonly #entries: Map<number, number>;
  #epoch: number;
  /** Above "/" and the special nodes; never seen from outside. */
  #top: OwnNode;

  /** A tree with nothing but "/", which belongs to dom0 alone. */
  constructor(from?: { readonly clock: Clock; readonly entries: Map<number, number>; readonly top: OwnNode }) {
    this.#clock = from?.clock ?? { ticks: 0 };
    this.#entries = new Map(from?.entries);
    this.#epoch = this.#tick();
    this.#top = from?.top ?? this.#newNode(EMPTY, [{ domid: DOM0, access: 0 }]);
    if (from === undefined) this.create("/", EMPTY, this.#top.permissions);
  }

  /** A second tree with the same contents. From now on each copies before it changes what both see. */
  fork(): Tree {
    this.#epoch = this.#tick();
    return new Tree({ clock: this.#clock, entries: this.#entries, top: this.#top });
  }

  /** Puts the clock ahead, so that stamps given before a restore are not given again. */
  advanceTo(ticks: number): void {
    this.#clock.ticks = Math.max(this.#clock.ticks, ticks);
  }

  get ticks(): number {
    return this.#clock.ticks;
  }

  get(path: string): StoreNode | undefined {
    const steps = pathSteps(path);
    const found = this.#descend(steps);
    return found.depth === steps.length ? found.node : undefined;
  }

  /** The lowest node on the way to `path` that exists, and its path. A special path that is missing leads to "/". */
  closest(path: string): { readonly path: string; readonly node: StoreNode } {
    const steps = pathSteps(path);
    const { node, depth } = this.#descend(steps);
    if (depth === 0) return { path: "/", node: this.#top.children.get("") ?? this.#top };
    return { path: depth === 1 && steps[0] === "" ? "/" : steps.slice(0, depth).join("/"), node };
  }

  /** Creates `path` and what is missing above it (with no value), all with `permissions`. */
  create(path: string, value: Uint8Array, permissions: Permissions): void {
    let node = this.#ownTop();
    for (const name of pathSteps(path)) {
      const child = this.#ownChild(node, name);
      if (child !== undefined) {
        node = child;
        continue;
      }
      const made = this.#newNode(EMPTY, permissions);
      node.children.set(name, made);
      node.childBytes += name.length + 1;
      node.childrenStamp = made.childrenStamp;
      this.#count(permissions, 1);
      node = made;
    }
    node.value = value;
  }

  setValue(path: string, value: Uint8Array): void {
    const node = this.#own(path);
    node.value = value;
    node.valueStamp = this.#tick();
  }

  setPermissions(path: string, permissions: Permissions): void {
    const node = this.#own(path);
    this.#count(node.permissions, -1);
    node.permissions = permissions;
    node.permissionsStamp = this.#tick();
    this.#count(permissions, 1);
  }

  /** Removes `path` and all below. */
  remove(path: string): void {
    for (const { node } of this.walk(path)) this.#count(node.permissions, -1);
    const steps = pathSteps(path);
    const name = steps.pop() ?? "";
    const parent = this.#ownSteps(steps);
    parent.children.delete(name);
    parent.childBytes -= name.length + 1;
    parent.childrenStamp = this.#tick();
  }

  /** Every node from `path` down, parents before their children. The tree must not change meanwhile. */
  *walk(path: string): Generator<WalkStep> {
    const start = this.get(path);
    const stack: WalkStep[] = start === undefined ? [] : [{ path, node: start, parent: this.get(parentPath(path)) }];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      yield next;
      for (const [name, node] of [...next.node.children].reverse()) {
        stack.push({ path: childPath(next.path, name), node, parent: next.node });
      }
    }
  }

  /** Names of the special nodes. */
  specials(): string[] {
    return [...this.#top.children.keys()].filter((name) => name !== "");
  }

  /** Nodes that `domid` owns. */
  entries(domid: number): number {
    return this.#entries.get(domid) ?? 0;
  }

  #tick(): number {
    return ++this.#clock.ticks;
  }

  #count(permissions: Permissions, change: 1 | -1): void {
    const owner = ownerOf(permissions);
    const count = this.entries(owner) + change;
    if (count === 0) this.#entries.delete(owner);
    else this.#entries.set(owner, count);
  }

  #newNode(value: Uint8Array, permissions: Permissions): OwnNode {
    const now = this.#tick();
    return {
      epoch: this.#epoch,
      value,
      permissions,
      children: new Map(),
      childBytes: 0,
      valueStamp: now,
      permissionsStamp: now,
      childrenStamp: now,
    };
  }

  #descend(steps: readonly string[]): { readonly node: StoreNode; readonly depth: number } {
    let node = this.#top;
    let depth = 0;
    for (const name of steps) {
      const child = node.children.get(name);
      if (child === undefined) break;
      node = child;
      depth += 1;
    }
    return { node, depth };
  }

  #copy(node: OwnNode): OwnNode {
    return node.epoch === this.#epoch ? node : { ...node, epoch: this.#epoch, children: new Map(node.children) };
  }

  #ownTop(): OwnNode {
    this.#top = this.#copy(this.#top);
    return this.#top;
  }

  #ownChild(parent: OwnNode, name: string): OwnNode | undefined {
    const child = parent.children.get(name);
    if (child === undefined) return undefined;
    const own = this.#copy(child);
    if (own !== child) parent.children.set(name, own);
    return own;
  }

  #ownSteps(steps: readonly string[]): OwnNode {
    let node = this.#ownTop();
    for (const name of steps) {
      const child = this.#ownChild(node, name);
      if (child === undefined) throw new Error(`Cannot change node ${steps.join("/")}: it does not exist`);
      node = child;
    }
    return node;
  }

  #own(path: string): OwnNode {
    return this.#ownSteps(pathSteps(path));
  }
}
