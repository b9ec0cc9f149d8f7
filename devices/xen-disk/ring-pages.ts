/** The pages of a ring, as the front end granted them: all mapped, or none. */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { GuestMemory, MemoryRegion } from "../../shared/memory.js";
import type { GrantAccess } from "./grant-cache.js";

/** A page of a ring: its words start at `word` of the region's. */
export interface RingPage {
  readonly region: MemoryRegion;
  readonly word: number;
}

/** The pages that `refs` grant, in their order; or the reference that cannot be mapped, and then none is. */
export function mapRingPages(grants: GrantAccess, memory: GuestMemory, refs: readonly number[]): RingPage[] | number {
  const pages: RingPage[] = [];
  for (const ref of refs) {
    const page = mapRingPage(grants, memory, ref);
    if (page === undefined) {
      unmapRingPages(grants, refs.slice(0, pages.length));
      return ref;
    }
    pages.push(page);
  }
  return pages;
}

export function unmapRingPages(grants: GrantAccess, refs: readonly number[]): void {
  for (const ref of refs) grants.unmap(ref, true);
}

function mapRingPage(grants: GrantAccess, memory: GuestMemory, ref: number): RingPage | undefined {
  const at = grants.map(ref, true);
  if (at < 0) return undefined;
  const region = memory.region(at, PAGE_SIZE);
  if (region !== undefined) return { region, word: (at - region.gpa) / 4 };
  grants.unmap(ref, true);
  return undefined;
}
