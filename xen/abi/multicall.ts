/** multicall. [XEN] xen.git xen/include/public/xen.h (struct multicall_entry) */
import { dualStruct } from "./dual-struct.js";

/** struct multicall_entry: six arguments in halves. In the 32-bit layout the high halves take no bytes. */
export const multicallEntry = dualStruct("multicall_entry", [64, 32], (t) => ({
  opLow: t.pointerLow,
  opHigh: t.pointerHigh,
  resultLow: t.pointerLow,
  resultHigh: t.pointerHigh,
  arg0Low: t.pointerLow,
  arg0High: t.pointerHigh,
  arg1Low: t.pointerLow,
  arg1High: t.pointerHigh,
  arg2Low: t.pointerLow,
  arg2High: t.pointerHigh,
  arg3Low: t.pointerLow,
  arg3High: t.pointerHigh,
  arg4Low: t.pointerLow,
  arg4High: t.pointerHigh,
  arg5Low: t.pointerLow,
  arg5High: t.pointerHigh,
}));
