/** grant_table_op. [GRANT] xen.git xen/include/public/grant_table.h */
import type { FieldType, StructView } from "../../shared/struct.js";
import type { DualStruct } from "../abi/dual-struct.js";
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/grant-table.js";
import { DOMID_BACKEND, HypercallNumber } from "../abi/xen.js";
import { FIRST_GRANT_PAGE } from "../domain-config.js";
import type { XenParts } from "../parts.js";
import { bareOperation, carried, isSelf, operation, strangerError } from "./call.js";
import type { Hypercall, HypercallCall, SubOperation } from "./call.js";
import { copyGranted } from "./grant-copy.js";

const { Gntcopy, Gnttabop, Gntst } = abi;

/** Operations on one struct at a time insist on it. */
function single(call: HypercallCall): boolean {
  return call.lo(2) === 1;
}

/** What a struct's status says of another domain's table: the back ends' is there, but not for the guest. */
function strangerStatus(domid: number): number {
  return domid === DOMID_BACKEND ? Gntst.permissionDenied : Gntst.badDomain;
}

/** Writes the frames at which `count` overlay pages from `page` are; all ones for those that are nowhere. */
function writeFrames(
  xen: XenParts,
  call: HypercallCall,
  list: { readonly high: number; readonly low: number; readonly width: 4 | 8 },
  pages: { readonly page: number; readonly count: number },
): boolean {
  for (let i = 0; i < pages.count; i++) {
    const frame = xen.overlays.frameOf(pages.page + i);
    call.bufferView.setUint32(0, frame >>> 0, true);
    call.bufferView.setUint32(4, frame < 0 ? 0xffff_ffff : 0, true);
    const low = list.low + i * list.width;
    const high = carried(list.high, low);
    if (!call.vm.write(high, low >>> 0, call.buffer, list.width)) return false;
  }
  return true;
}

/** Structs that are gone through before the guest makes the call again for the rest. */
const STRUCTS_PER_EXIT = 0x400;

/** An operation on an array of structs, each with a status of its own: one that fails does not keep the rest. */
function list<F extends { readonly status: FieldType<number> }>(
  number: number,
  name: string,
  argument: DualStruct<F>,
  run: (xen: XenParts, entry: Readonly<StructView<F>>) => number,
): SubOperation {
  return bareOperation(number, name, (xen, call) => {
    const layout = call.longMode ? argument.wide : argument.compat;
    const entry = layout.view(call.buffer.buffer);
    const count = call.lo(2);
    const now = Math.min(count, STRUCTS_PER_EXIT);
    for (let i = 0; i < now; i++) {
      const low = call.lo(1) + i * layout.size;
      const high = carried(call.hi(1), low);
      if (!call.vm.read(high, low >>> 0, call.buffer, layout.size)) return Errno.EFAULT;
      (entry as { status: number }).status = run(xen, entry);
      if (!call.vm.write(high, low >>> 0, call.buffer, layout.size)) return Errno.EFAULT;
    }
    if (now < count) call.goOn({ pointer: 1, bytes: now * layout.size, count: 2, done: now });
    return 0;
  });
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
        if (!isSelf(xen, argument.dom)) argument.status = strangerStatus(argument.dom);
        else if (nrFrames > xen.grants.maxFrames || !xen.grants.growTo(nrFrames)) argument.status = Gntst.generalError;
        else {
          argument.status = Gntst.okay;
          const list = { high: frameListHigh, low: frameListLow, width: call.longMode ? 8 : 4 } as const;
          if (!writeFrames(xen, call, list, { page: FIRST_GRANT_PAGE, count: nrFrames })) return Errno.EFAULT;
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
          argument.status = strangerStatus(argument.dom);
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
      (xen, call, argument) => {
        if (!single(call)) return Errno.EINVAL;
        const { version } = argument;
        if (version !== 1 && version !== 2) return Errno.EINVAL;
        return xen.grants.setVersion(version) ? 0 : Errno.EBUSY;
      },
    ),
    operation(
      { number: Gnttabop.get_status_frames, name: "GNTTABOP_get_status_frames" },
      "inout",
      abi.gnttabGetStatusFrames,
      (xen, call, argument) => {
        if (!single(call)) return Errno.EINVAL;
        const { nrFrames, frameListHigh, frameListLow } = argument;
        if (!isSelf(xen, argument.dom)) argument.status = strangerStatus(argument.dom);
        else if (nrFrames > xen.grants.statusFrames) argument.status = Gntst.generalError;
        else {
          argument.status = Gntst.okay;
          // Numbers of 64 bits in both layouts.
          const list = { high: frameListHigh, low: frameListLow, width: 8 } as const;
          if (!writeFrames(xen, call, list, { page: xen.grants.statusPage(0), count: nrFrames })) return Errno.EFAULT;
        }
        return 0;
      },
    ),
    operation(
      { number: Gnttabop.get_version, name: "GNTTABOP_get_version" },
      "inout",
      abi.gnttabGetVersion,
      (xen, _call, argument) => {
        if (!isSelf(xen, argument.dom)) return strangerError(argument.dom);
        argument.version = xen.grants.version;
        return 0;
      },
    ),
    operation(
      { number: Gnttabop.swap_grant_ref, name: "GNTTABOP_swap_grant_ref" },
      "inout",
      abi.gnttabSwapGrantRef,
      (xen, call, argument) => {
        if (!single(call)) return Errno.EINVAL;
        argument.status = xen.grants.swap(argument.refA, argument.refB);
        return 0;
      },
    ),
    list(Gnttabop.copy, "GNTTABOP_copy", abi.gnttabCopy, (xen, entry) => {
      const { source, sourceDomid, sourceOffset, dest, destDomid, destOffset, len: length, flags } = entry;
      return copyGranted(xen, {
        source: {
          page: (flags & Gntcopy.sourceGref) === 0 ? source : source % 2 ** 32,
          domid: sourceDomid,
          offset: sourceOffset,
        },
        dest: { page: (flags & Gntcopy.destGref) === 0 ? dest : dest % 2 ** 32, domid: destDomid, offset: destOffset },
        length,
        flags,
      });
    }),
    // No other domain grants anything to the guest, and its own pages it has.
    list(Gnttabop.map_grant_ref, "GNTTABOP_map_grant_ref", abi.gnttabMapGrantRef, (xen, entry) =>
      isSelf(xen, entry.dom) ? Gntst.generalError : entry.dom === DOMID_BACKEND ? Gntst.badGntref : Gntst.badDomain,
    ),
    list(Gnttabop.unmap_grant_ref, "GNTTABOP_unmap_grant_ref", abi.gnttabUnmapGrantRef, () => Gntst.badHandle),
    // Xen has these for the hypervisor's console, for PV guests' page tables and for the ARM architecture.
    ...(["dump_table", "transfer", "unmap_and_replace", "cache_flush"] as const).map((name) =>
      bareOperation(Gnttabop[name], `GNTTABOP_${name}`, () => Errno.ENOSYS),
    ),
  ],
};
