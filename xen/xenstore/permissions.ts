/**
 * Who may read and write a node.
 *
 * [XENSTORE] xen.git docs/misc/xenstore.txt, SET_PERMS
 *
 * A node has a list of entries. The first names the owner, who may do everything, and what everybody may do who is not
 * named further on. Dom0 may do everything everywhere.
 */
import type { DomId } from "../../shared/brand.js";

/** Bits of access. */
export const Access = { read: 1 << 0, write: 1 << 1, owner: 1 << 2 } as const;
const ALL = Access.read | Access.write | Access.owner;

export const DOM0 = 0 as DomId;
/** DOMID_FIRST_RESERVED of xen.h: from here on no number is a domain's. */
const DOMID_FIRST_RESERVED = 0x7ff0;

export interface Permission {
  /** 0..65535, though only those below 0x7ff0 are anybody's. */
  readonly domid: number;
  /** Access.read and Access.write, or neither. */
  readonly access: number;
}

/** At least one entry; the first is the owner's. */
export type Permissions = readonly [Permission, ...Permission[]];

/** The letters of [XENSTORE]: none, read, write, both. */
const LETTERS = "nrwb";
const ENTRY = /^([nrwb])([0-9]{1,5})$/;

/** Access bits that `domid` has. The first entry that names it counts. */
export function accessFor(permissions: Permissions, domid: DomId): number {
  const [owner, ...others] = permissions;
  if (domid === DOM0 || owner.domid === domid) return ALL;
  return (others.find((entry) => entry.domid === domid) ?? owner).access;
}

export function ownerOf(permissions: Permissions): number {
  return permissions[0].domid;
}

/** False for numbers that can never be a domain's. */
export function isRealDomain(domid: number): boolean {
  return domid < DOMID_FIRST_RESERVED;
}

function parseEntry(text: string): Permission | undefined {
  const [, letter = "", digits = ""] = ENTRY.exec(text) ?? [];
  const domid = Number(digits);
  return letter === "" || domid > 0xffff ? undefined : { domid, access: LETTERS.indexOf(letter) };
}

/** Entries such as "n0", "r1"; undefined when one is malformed or there is none. */
export function parsePermissions(texts: readonly string[]): Permissions | undefined {
  const [first, ...others] = texts.map(parseEntry).filter((entry) => entry !== undefined);
  return first === undefined || others.length + 1 !== texts.length ? undefined : [first, ...others];
}

export function formatPermissions(permissions: Permissions): string[] {
  return permissions.map((entry) => `${LETTERS.charAt(entry.access)}${entry.domid}`);
}

/** What a new node gets: its parent's entries, and an unprivileged creator becomes the owner. */
export function inheritPermissions(parent: Permissions, creator: DomId): Permissions {
  const [owner, ...others] = parent;
  return creator === DOM0 ? parent : [{ domid: creator, access: owner.access }, ...others];
}

/**
 * The entries without `domid`; dom0 takes over what it owned. A later domain with the same number then finds nothing of
 * its predecessor open. Returns `permissions` itself when nothing changes.
 */
export function withoutDomain(permissions: Permissions, domid: DomId): Permissions {
  if (!permissions.some((entry) => entry.domid === domid)) return permissions;
  const [owner, ...others] = permissions;
  return [
    owner.domid === domid ? { domid: DOM0, access: owner.access } : owner,
    ...others.filter((entry) => entry.domid !== domid),
  ];
}
