/** multicall: several hypercalls in one. [XEN] xen.git xen/include/public/xen.h (struct multicall_entry) */
import { Errno } from "../abi/errno.js";
import { multicallEntry } from "../abi/multicall.js";
import { HypercallNumber } from "../abi/xen.js";
import { ARGUMENTS, carried } from "./call.js";
import type { Hypercall, HypercallCall } from "./call.js";

/** Entries that are run before the guest makes the call again for the rest: Xen looks for other work after each. */
const ENTRIES_PER_EXIT = 0x400;

/** The hypercall, running its entries by `dispatch`. */
export function multicall(dispatch: (call: HypercallCall) => number): Hypercall {
  const bytes = new Uint8Array(multicallEntry.wide.size);
  const view = new DataView(bytes.buffer);

  /** An entry that has more to do is written anew: it is run again, with the arguments that it has set. */
  function writeArguments(call: HypercallCall, high: number, low: number): boolean {
    for (let i = 0; i < call.again; i++) {
      const at = low + (call.longMode ? multicallEntry.wide : multicallEntry.compat).offsets.arg0Low;
      const sum = at + i * (call.longMode ? 8 : 4);
      const sumHigh = carried(high, sum);
      const written = call.longMode
        ? call.vm.writeU64(sumHigh, sum >>> 0, call.hi(i), call.lo(i))
        : call.vm.writeU32(sumHigh, sum >>> 0, call.lo(i));
      if (!written) return false;
    }
    return true;
  }

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
    if (call.again > 0) return writeArguments(call, high, low);
    const sum = low + layout.offsets.resultLow;
    const resultHigh = carried(high, sum);
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
      const layout = call.longMode ? multicallEntry.wide : multicallEntry.compat;
      call.inMulticall = true;
      let done = 0;
      for (; done < Math.min(count, ENTRIES_PER_EXIT) && call.again === 0; done++) {
        const at = low + done * layout.size;
        if (!runEntry(call, carried(high, at), at >>> 0)) {
          call.again = 0;
          return Errno.EFAULT;
        }
      }
      if (call.again > 0) done--;
      call.again = 0;
      if (done === count) return 0;
      // The entries have left their own arguments there.
      call.set(0, high, low);
      call.set(1, 0, count);
      call.goOn({ pointer: 0, bytes: done * layout.size, count: 1, done });
      return 0;
    },
  };
}
