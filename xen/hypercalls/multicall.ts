/** multicall: several hypercalls in one. [XEN] xen.git xen/include/public/xen.h (struct multicall_entry) */
import { Errno } from "../abi/errno.js";
import { multicallEntry } from "../abi/multicall.js";
import { HypercallNumber } from "../abi/xen.js";
import { ARGUMENTS } from "./call.js";
import type { Hypercall, HypercallCall } from "./call.js";

/** Entries of one multicall at most; guests batch tens. */
const MAX_ENTRIES = 0x1000;

/** The hypercall, running its entries by `dispatch`. */
export function multicall(dispatch: (call: HypercallCall) => number): Hypercall {
  const bytes = new Uint8Array(multicallEntry.wide.size);
  const view = new DataView(bytes.buffer);

  /** Runs the entry at (`high`, `low`); false when it cannot be read, or its result cannot be written. */
  function runEntry(call: HypercallCall, high: number, low: number): boolean {
    const layout = call.longMode ? multicallEntry.wide : multicallEntry.compat;
    const stride = call.longMode ? 8 : 4;
    if (!call.vm.read(high, low, bytes, layout.size)) return false;
    call.number = view.getUint32(layout.offsets.opLow, true);
    if (call.longMode && view.getUint32(layout.offsets.opHigh, true) !== 0) call.number = -1;
    for (let i = 0; i < ARGUMENTS; i++) {
      const at = layout.offsets.arg0Low + i * stride;
      call.set(i, call.longMode ? view.getUint32(at + 4, true) : 0, view.getUint32(at, true));
    }
    const result = dispatch(call);
    const sum = low + layout.offsets.resultLow;
    const resultHigh = sum > 0xffff_ffff ? (high + 1) >>> 0 : high;
    if (!call.longMode) return call.vm.writeU32(resultHigh, sum >>> 0, result >>> 0);
    return call.vm.writeU64(resultHigh, sum >>> 0, Math.floor(result / 0x1_0000_0000) >>> 0, result >>> 0);
  }

  return {
    number: HypercallNumber.multicall,
    name: "multicall",
    run: (_xen, call) => {
      if (call.inMulticall) return Errno.EINVAL;
      const high = call.hi(0);
      const low = call.lo(0);
      const count = call.lo(1);
      if (count > MAX_ENTRIES) return Errno.EINVAL;
      const size = (call.longMode ? multicallEntry.wide : multicallEntry.compat).size;
      call.inMulticall = true;
      for (let i = 0; i < count; i++) {
        const at = low + i * size;
        if (!runEntry(call, (high + Math.floor(at / 0x1_0000_0000)) >>> 0, at >>> 0)) return Errno.EFAULT;
      }
      return 0;
    },
  };
}
