/** grant_table_op. [GRANT] xen.git xen/include/public/grant_table.h */
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/grant-table.js";
import { HypercallNumber } from "../abi/xen.js";
import { FIRST_GRANT_PAGE } from "../domain-config.js";
import { isSelf, operation } from "./call.js";
import type { Hypercall, HypercallCall } from "./call.js";

const { Gnttabop, Gntst } = abi;

/** Operations on one struct at a time insist on it. */
function single(call: HypercallCall): boolean {
  return call.lo(2) === 1;
}

export const grantTableOp: Hypercall = {
  number: HypercallNumber.grant_table_op,
  name: "grant_table_op",
  pointer: 1,
  commandMask: abi.GNTTABOP_CMD_MASK,
  // The count is a signed number to Xen.
  guard: (_xen, call) => (call.lo(2) > 0x7fff_ffff ? Errno.EINVAL : 0),
  operations: [
    operation(
      { number: Gnttabop.setup_table, name: "GNTTABOP_setup_table" },
      "inout",
      abi.gnttabSetupTable,
      (xen, call, argument) => {
        if (!single(call)) return Errno.EINVAL;
        const { nrFrames, frameListHigh, frameListLow } = argument;
        if (!isSelf(xen, argument.dom)) argument.status = Gntst.badDomain;
        else if (nrFrames > xen.grants.maxFrames || !xen.grants.growTo(nrFrames)) argument.status = Gntst.generalError;
        else {
          argument.status = Gntst.okay;
          const width = call.longMode ? 8 : 4;
          for (let i = 0; i < nrFrames; i++) {
            const frame = xen.overlays.frameOf(FIRST_GRANT_PAGE + i);
            call.bufferView.setUint32(0, frame >>> 0, true);
            call.bufferView.setUint32(4, frame < 0 ? 0xffff_ffff : 0, true);
            const low = frameListLow + i * width;
            const high = (frameListHigh + Math.floor(low / 0x1_0000_0000)) >>> 0;
            if (!call.vm.write(high, low >>> 0, call.buffer, width)) return Errno.EFAULT;
          }
        }
        return 0;
      },
    ),
    operation(
      { number: Gnttabop.query_size, name: "GNTTABOP_query_size" },
      "inout",
      abi.gnttabQuerySize,
      (xen, call, argument) => {
        if (!single(call)) return Errno.EINVAL;
        if (!isSelf(xen, argument.dom)) {
          argument.status = Gntst.badDomain;
          return 0;
        }
        argument.nrFrames = xen.grants.frames;
        argument.maxNrFrames = xen.grants.maxFrames;
        argument.status = Gntst.okay;
        return 0;
      },
    ),
    operation(
      { number: Gnttabop.set_version, name: "GNTTABOP_set_version" },
      "inout",
      abi.gnttabSetVersion,
      (_xen, _call, argument) => {
        if (argument.version === 1) return 0;
        return argument.version === 2 ? Errno.ENOSYS : Errno.EINVAL;
      },
    ),
    operation(
      { number: Gnttabop.get_version, name: "GNTTABOP_get_version" },
      "inout",
      abi.gnttabGetVersion,
      (xen, _call, argument) => {
        if (!isSelf(xen, argument.dom)) return Errno.ESRCH;
        argument.version = 1;
        return 0;
      },
    ),
  ],
};
