/**
 * Xenstore paths: which are legal, how relative ones resolve, and what lies within what.
 *
 * [XENSTORE] xen.git docs/misc/xenstore.txt
 *
 * Inside the store a path is absolute ("/", "/a/b") or special ("@releaseDomain").
 */
import type { DomId } from "../../shared/brand.js";
import { XENSTORE_ABS_PATH_MAX, XENSTORE_REL_PATH_MAX } from "./wire.js";

/** [XENSTORE]: alphanumerics and the four characters - / _ @ */
const LEGAL = /^[A-Za-z0-9\-/_@]+$/;

/** Where a domain's own nodes live, and what its relative paths are relative to. */
export function domainPath(domid: number): string {
  return `/local/domain/${domid}`;
}

export function isSpecial(path: string): boolean {
  return path.startsWith("@");
}

export function isRelative(path: string): boolean {
  return !path.startsWith("/") && !isSpecial(path);
}

/** The path that `text` means for `domid`, or undefined when [XENSTORE] forbids it. */
export function resolvePath(text: string, domid: DomId): string | undefined {
  const relative = isRelative(text);
  if (text.length > (relative ? XENSTORE_REL_PATH_MAX : XENSTORE_ABS_PATH_MAX)) return undefined;
  if (!LEGAL.test(text) || text.includes("//") || (text.endsWith("/") && text !== "/")) return undefined;
  return relative ? `${domainPath(domid)}/${text}` : text;
}

/** Names from the store's hidden top downwards: "/a" is ["", "a"], a special path is one name of its own. */
export function pathSteps(path: string): string[] {
  return path === "/" ? [""] : isSpecial(path) ? [path] : path.split("/");
}

/** The node above. Those above everything else, "/" and the special ones, have "/". */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 || isSpecial(path) ? "/" : path.slice(0, slash);
}

export function childPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** True when `path` is `top` or below it. Special paths are not below "/". */
export function isWithin(path: string, top: string): boolean {
  if (top === "/") return !isSpecial(path);
  return path.startsWith(top) && (path.length === top.length || path[top.length] === "/");
}
