/**
 * GNTTABOP_copy between pages of the guest's own, by frame or by grants to itself.
 *
 * [GRANT] xen.git xen/include/public/grant_table.h (struct gnttab_copy)
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import { Gntcopy, Gntst } from "../abi/grant-table.js";
import { DOMID_BACKEND } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { isSelf } from "./call.js";

/** One end of a copy: frame or reference, by the flags. */
export interface CopyEnd {
  readonly page: number;
  readonly domid: number;
  readonly offset: number;
}

export interface CopyRequest {
  readonly source: CopyEnd;
  readonly dest: CopyEnd;
  readonly length: number;
  readonly flags: number;
}

/** Carries out one copy; a GNTST. */
export function copyGranted(xen: XenParts, { source, dest, length, flags }: CopyRequest): number {
  if (source.offset + length > PAGE_SIZE || dest.offset + length > PAGE_SIZE) return Gntst.badCopyArg;
  const from = endAddress(xen, source, length, { byRef: (flags & Gntcopy.sourceGref) !== 0, writable: false });
  if (from < 0) return from;
  const to = endAddress(xen, dest, length, { byRef: (flags & Gntcopy.destGref) !== 0, writable: true });
  if (to < 0) return to;
  const sourceRegion = xen.memory.region(from, length);
  const destRegion = xen.memory.region(to, length);
  if (sourceRegion === undefined || destRegion === undefined) return Gntst.badPage;
  const start = from - sourceRegion.gpa;
  destRegion.bytes.set(sourceRegion.bytes.subarray(start, start + length), to - destRegion.gpa);
  return Gntst.okay;
}

/** Guest-physical address of the first byte, or a negative GNTST. */
function endAddress(
  xen: XenParts,
  { page, domid, offset }: CopyEnd,
  length: number,
  { byRef, writable }: { readonly byRef: boolean; readonly writable: boolean },
): number {
  // Domain 0 is there, but grants nothing and its frames are its own; there are no others.
  if (!isSelf(xen, domid)) return domid === DOMID_BACKEND && !byRef ? Gntst.permissionDenied : Gntst.badDomain;
  if (!byRef) return Number.isSafeInteger(page * PAGE_SIZE) ? page * PAGE_SIZE + offset : Gntst.badPage;
  const bytes = xen.grants.ownBytes(page, xen.config.domid, writable);
  if (typeof bytes === "number") return bytes;
  const inside = offset >= bytes.offset && offset + length <= bytes.offset + bytes.length;
  return inside ? bytes.frame * PAGE_SIZE + offset : Gntst.generalError;
}
