/**
 * What memory_op's calls have in common: where they begin, arrays, and how they give way. [MEMORY] xen.git
 * xen/include/public/memory.h
 *
 * Bits above the command say how many elements of its list an earlier part of the call has done. A guest may set them too.
 */
import { MEMOP_CMD_MASK } from "../abi/memory.js";
import { carried } from "./call.js";
import type { HypercallCall } from "./call.js";

const EXTENT_UNIT = MEMOP_CMD_MASK + 1;

/** Elements that may be done before the call; rounded above 2^53. */
export function startExtent(call: HypercallCall): number {
  return Math.floor(call.value(0) / EXTENT_UNIT);
}

/** The guest makes the call again, from element `extent` on: below 2^26. */
export function continueFrom(call: HypercallCall, extent: number): void {
  call.set(0, 0, (call.lo(0) & MEMOP_CMD_MASK) + extent * EXTENT_UNIT);
  call.again = 1;
}

/** A number of the caller's width out of an array at (`high`, `low`); -1 when it cannot be read. */
export function element(call: HypercallCall, high: number, low: number, index: number): number {
  const at = low + index * (call.longMode ? 8 : 4);
  const atHigh = carried(high, at);
  return call.longMode ? call.vm.u64(atHigh, at >>> 0) : call.vm.u32(atHigh, at >>> 0);
}
