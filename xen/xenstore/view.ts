/**
 * What a request works on: the store itself, or a transaction's picture of it (`transaction.ts`).
 *
 * Each change tells which watches may see it. That is decided with the permissions that hold at the change, as a removed
 * node has none afterwards.
 */
import { parentPath } from "./path.js";
import type { Permissions } from "./permissions.js";
import type { StoreNode, Tree, WalkStep } from "./tree.js";

/** Parts of a node that a request depends on; bits. That the node exists, or does not, always counts. */
export const Aspect = { existence: 0, value: 1 << 0, permissions: 1 << 1, children: 1 << 2 } as const;
export const ALL_ASPECTS = Aspect.value | Aspect.permissions | Aspect.children;

/** Something that watches are told of. */
export interface Change {
  readonly path: string;
  /** Only watches on this very path see it: the node went away together with one above it. */
  readonly exact: boolean;
  /** Whoever may read by one of these learns of the change. */
  readonly visibleBy: readonly Permissions[];
}

export interface StoreView {
  /** The node at `path`; a transaction remembers that the outcome depends on these aspects. */
  look(path: string, aspects: number): StoreNode | undefined;
  /** The lowest existing node on the way to `path`. */
  closest(path: string): { readonly path: string; readonly node: StoreNode };
  /** Creates `path` and what is missing above it. */
  create(path: string, value: Uint8Array, permissions: Permissions): void;
  setValue(path: string, value: Uint8Array): void;
  setPermissions(path: string, permissions: Permissions): void;
  /** Removes `path`, which exists, and all below it. */
  remove(path: string): void;
  /** Nodes that `domid` owns. */
  entries(domid: number): number;
}

/** Works on the store directly; `changes` holds what happened, for the watches. */
export class LiveView implements StoreView {
  readonly changes: Change[] = [];
  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  look(path: string): StoreNode | undefined {
    return this.#tree.get(path);
  }

  closest(path: string): { readonly path: string; readonly node: StoreNode } {
    return this.#tree.closest(path);
  }

  create(path: string, value: Uint8Array, permissions: Permissions): void {
    this.#tree.create(path, value, permissions);
    this.#changed(path);
  }

  setValue(path: string, value: Uint8Array): void {
    this.#tree.setValue(path, value);
    this.#changed(path);
  }

  setPermissions(path: string, permissions: Permissions): void {
    const former = this.#tree.get(path)?.permissions;
    this.#tree.setPermissions(path, permissions);
    this.#changed(path, former);
  }

  remove(path: string): void {
    for (const step of this.#tree.walk(path)) {
      this.changes.push({ path: step.path, exact: step.path !== path, visibleBy: visibility(step) });
    }
    this.#tree.remove(path);
  }

  entries(domid: number): number {
    return this.#tree.entries(domid);
  }

  #changed(path: string, former?: Permissions): void {
    const now = visibility({ path, node: this.#tree.get(path), parent: this.#tree.get(parentPath(path)) });
    this.changes.push({ path, exact: false, visibleBy: former === undefined ? now : [former, ...now] });
  }
}

/** A node shows to those who may read it or its parent. */
export function visibility(step: Omit<WalkStep, "node"> & { readonly node: StoreNode | undefined }): Permissions[] {
  return [step.node, step.parent].filter((node) => node !== undefined).map((node) => node.permissions);
}
