/**
 * What requests do to nodes: reads, writes and their permission and quota rules, the same in and outside transactions.
 *
 * [XENSTORE] xen.git docs/misc/xenstore.txt
 */
import type { DomId } from "../../shared/brand.js";
import { parentPath, pathSteps } from "./path.js";
import { Access, accessFor, DOM0, inheritPermissions, isRealDomain, ownerOf } from "./permissions.js";
import type { Permissions } from "./permissions.js";
import { Quota } from "./quotas.js";
import type { StoreNode } from "./tree.js";
import { Aspect } from "./view.js";
import type { StoreView } from "./view.js";
import { Failure } from "./wire.js";
import type { Outcome } from "./wire.js";

/** Who works on what. */
export interface Session {
  readonly domid: DomId;
  readonly view: StoreView;
}

const EMPTY = new Uint8Array(0);

export function readValue({ domid, view }: Session, path: string): Outcome<Uint8Array> {
  const node = find({ domid, view }, path, Access.read, Aspect.value);
  return node instanceof Failure ? node : node.value;
}

/** The node, for its children's names; their stamp is DIRECTORY_PART's generation count. */
export function readDirectory(session: Session, path: string): Outcome<StoreNode> {
  return find(session, path, Access.read, Aspect.children);
}

export function readPermissions(session: Session, path: string): Outcome<Permissions> {
  const node = find(session, path, Access.read, Aspect.permissions);
  return node instanceof Failure ? node : node.permissions;
}

/** Stores `value` at `path`, which is created with its parents when it is missing. */
export function writeValue(session: Session, path: string, value: Uint8Array): Outcome<true> {
  const node = find(session, path, Access.write, Aspect.value);
  if (node instanceof Failure) return node.errno === "ENOENT" ? create(session, path, value) : node;
  if (session.domid !== DOM0 && value.length + node.childBytes > Quota.entrySize) return new Failure("ENOSPC");
  session.view.setValue(path, value);
  return true;
}

/** Creates `path` unless it exists. */
export function makeDirectory(session: Session, path: string): Outcome<true> {
  const node = find(session, path, Access.write, Aspect.existence);
  if (!(node instanceof Failure)) return true;
  return node.errno === "ENOENT" ? create(session, path, EMPTY) : node;
}

/** Removes `path` and all below. That it is missing is fine, unless its parent is missing too. */
export function removeNode(session: Session, path: string): Outcome<true> {
  const node = find(session, path, Access.write, Aspect.existence);
  if (node instanceof Failure) {
    return node.errno === "ENOENT" && session.view.look(parentPath(path), Aspect.existence) !== undefined ? true : node;
  }
  if (path === "/") return new Failure("EINVAL");
  session.view.remove(path);
  return true;
}

/** Only the owner may, and only dom0 may give a node away. */
export function changePermissions(session: Session, path: string, permissions: Permissions): Outcome<true> {
  const { domid, view } = session;
  if (domid !== DOM0 && permissions.length > Quota.permissions) return new Failure("ENOSPC");
  if (!isRealDomain(ownerOf(permissions))) return new Failure("ENOENT");
  const node = find(session, path, Access.write | Access.owner, Aspect.permissions);
  if (node instanceof Failure) return node;
  if (domid !== DOM0 && ownerOf(permissions) !== ownerOf(node.permissions)) return new Failure("EPERM");
  view.setPermissions(path, permissions);
  return true;
}

/**
 * The node, when the caller has all of `need` on it. Whether a node exists is told only to those who have some of `need`
 * on the closest node above; others get EACCES in any case.
 */
function find({ domid, view }: Session, path: string, need: number, aspects: number): Outcome<StoreNode> {
  const node = view.look(path, aspects | Aspect.permissions);
  if (node !== undefined) return (accessFor(node.permissions, domid) & need) === need ? node : new Failure("EACCES");
  const above = view.closest(path).node;
  return new Failure((accessFor(above.permissions, domid) & need) === 0 ? "EACCES" : "ENOENT");
}

function create({ domid, view }: Session, path: string, value: Uint8Array): Outcome<true> {
  const above = view.closest(path);
  if (domid !== DOM0) {
    const missing = pathSteps(path).slice(pathSteps(above.path).length);
    const [first = "", ...rest] = missing;
    const fits =
      view.entries(domid) + missing.length <= Quota.entries &&
      above.node.value.length + above.node.childBytes + first.length + 1 <= Quota.entrySize &&
      rest.every((name) => name.length + 1 <= Quota.entrySize) &&
      value.length <= Quota.entrySize;
    if (!fits) return new Failure("ENOSPC");
  }
  view.create(path, value, inheritPermissions(above.node.permissions, domid));
  return true;
}
