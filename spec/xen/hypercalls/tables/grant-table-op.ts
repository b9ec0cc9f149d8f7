/** grant_table_op. [GRANT] xen.git xen/include/public/grant_table.h */
import * as abi from "../../../../xen/abi/grant-table.js";
import { BACKEND, EFAULT, EINVAL, ENOSYS, EPERM, ESRCH, SELF, STRANGER } from "./errno.js";
import { Family } from "./family.js";
import type { Operation } from "./family.js";
import type { Call, Fields, Row } from "./row.js";
import { at, atLeast, frameOf } from "./value.js";

/** Argument 2 is the number of structs. */
const COUNT = 2;
const family = new Family({
  name: "grant_table_op",
  number: 20,
  source: "grant-table-op.ts",
  pointer: 1,
  args: { [COUNT]: 1 },
});

const op = {
  map: family.operation({ number: 0, name: "GNTTABOP_map_grant_ref" }, "inout", abi.gnttabMapGrantRef),
  unmap: family.operation({ number: 1, name: "GNTTABOP_unmap_grant_ref" }, "inout", abi.gnttabUnmapGrantRef),
  setupTable: family.operation({ number: 2, name: "GNTTABOP_setup_table" }, "inout", abi.gnttabSetupTable),
  copy: family.operation({ number: 5, name: "GNTTABOP_copy" }, "inout", abi.gnttabCopy),
  querySize: family.operation({ number: 6, name: "GNTTABOP_query_size" }, "inout", abi.gnttabQuerySize),
  setVersion: family.operation({ number: 8, name: "GNTTABOP_set_version" }, "inout", abi.gnttabSetVersion),
  statusFrames: family.operation({ number: 9, name: "GNTTABOP_get_status_frames" }, "inout", abi.gnttabGetStatusFrames),
  getVersion: family.operation({ number: 10, name: "GNTTABOP_get_version" }, "inout", abi.gnttabGetVersion),
  swap: family.operation({ number: 11, name: "GNTTABOP_swap_grant_ref" }, "inout", abi.gnttabSwapGrantRef),
};

/** GNTST_*. */
const OKAY = 0;
const GENERAL_ERROR = -1;
const BAD_DOMAIN = -2;
const BAD_GNTREF = -3;
const BAD_HANDLE = -4;
const PERMISSION_DENIED = -8;
const BAD_PAGE = -9;
const BAD_COPY_ARG = -10;
/** GNTCOPY_source_gref. */
const SOURCE_GREF = 1;
/** An entry that grants nothing, behind those that the domain builder fills. */
const UNUSED = 100;
const NO_REF = 0xffff_ffff;
const NO_FRAMES = 0xffff_ffff;
const TEXT = "sixteen letters!";

/** Operations that take one struct alone, and H-cases of the number of structs. */
function badCounts(operation: Operation, fields: Fields, single: boolean): readonly Row[] {
  const rows = [operation.row("G12: refuses 2^31 structs", fields, EINVAL, { args: { [COUNT]: 0x8000_0000 } })];
  if (single) return [...rows, operation.row("refuses two structs", fields, EINVAL, { args: { [COUNT]: 2 } })];
  return [
    ...rows,
    operation.row("does nothing with no struct", fields, 0, { args: { [COUNT]: 0 } }),
    operation.row("G12: stops at the end of memory, of 2^31-1", fields, EFAULT, {
      args: { [COUNT]: 0x7fff_ffff },
      place: at("read-only"),
      partial: true,
    }),
  ];
}

const version = (number: number): Call => op.setVersion.call({ version: number });
const mapFields: Fields = { hostAddr: at("spare"), flags: 2, ref: UNUSED, dom: SELF };
const copyFields: Fields = {
  source: frameOf("spare"),
  sourceDomid: SELF,
  sourceOffset: 0,
  dest: frameOf("other spare"),
  destDomid: SELF,
  destOffset: 0,
  len: TEXT.length,
  flags: 0,
};
const untouched = { at: at("other spare"), width: 8, values: [0xaaaa_aaaa_aaaa_aaaan] } as const;

/** G9 and others: the call succeeds, the copy does not. */
function badCopy(name: string, fields: Fields, status: number): Row {
  return op.copy.row(name, { ...copyFields, ...fields }, 0, { after: { status }, left: [untouched] });
}

export const grantTableOpTable = family.table([
  op.map.table("no other domain grants anything to the guest, and its own pages it has: a status of its own each", [
    op.map.row("refuses the domain's own", mapFields, 0, { after: { status: GENERAL_ERROR } }),
    op.map.row("refuses the back ends' domain's", { ...mapFields, dom: BACKEND }, 0, { after: { status: BAD_GNTREF } }),
    op.map.row("G3: refuses a domain's that is not", { ...mapFields, dom: STRANGER }, 0, {
      after: { status: BAD_DOMAIN },
    }),
    ...badCounts(op.map, mapFields, false),
  ]),
  op.unmap.table("nothing is mapped: a status of its own each", [
    op.unmap.row("refuses handle 0", { hostAddr: at("spare"), handle: 0 }, 0, { after: { status: BAD_HANDLE } }),
    op.unmap.row("refuses handle 2^32-1", { hostAddr: 0, handle: 0xffff_ffff }, 0, { after: { status: BAD_HANDLE } }),
    ...badCounts(op.unmap, { hostAddr: 0, handle: 0 }, false),
  ]),
  op.setupTable.table("grows the table, and tells at which guest frames it shows; all ones where it does not", [
    op.setupTable.row("tells of a frame", { dom: SELF, nrFrames: 1, frameList: at("data") }, 0, {
      memory: [{ at: at("data"), width: "ulong", values: [0] }],
      after: { status: OKAY },
    }),
    op.setupTable.row("tells of no frame", { dom: SELF, nrFrames: 0, frameList: at("hole") }, 0, {
      after: { status: OKAY },
    }),
    op.setupTable.row(
      "G11: refuses more frames than there may be",
      { dom: SELF, nrFrames: NO_FRAMES, frameList: at("data") },
      0,
      {
        after: { status: GENERAL_ERROR },
      },
    ),
    op.setupTable.row("refuses the back ends' domain", { dom: BACKEND, nrFrames: 1, frameList: at("data") }, 0, {
      after: { status: PERMISSION_DENIED },
    }),
    op.setupTable.row("refuses another domain", { dom: STRANGER, nrFrames: 1, frameList: at("data") }, 0, {
      after: { status: BAD_DOMAIN },
    }),
    op.setupTable.row(
      "H3: refuses a list that is not there",
      { dom: SELF, nrFrames: 1, frameList: at("hole") },
      EFAULT,
    ),
    ...badCounts(op.setupTable, { dom: SELF, nrFrames: 0 }, true),
  ]),
  op.copy.table("copies up to a page between frames or grants of the domain's own: a status of its own each", [
    op.copy.row("copies between frames", copyFields, 0, {
      memory: [{ at: at("spare"), text: TEXT }],
      after: { status: OKAY },
      left: [{ at: at("other spare"), width: 8, values: [0x206e_6565_7478_6973n, 0x2173_7265_7474_656cn] }],
    }),
    op.copy.row("copies nothing", { ...copyFields, len: 0 }, 0, { after: { status: OKAY }, left: [untouched] }),
    badCopy("G9: refuses to read past a page's end", { sourceOffset: 4090 }, BAD_COPY_ARG),
    badCopy("G9: refuses to write past a page's end", { destOffset: 0xffff, len: 1 }, BAD_COPY_ARG),
    badCopy("G9: refuses a frame that is no memory", { source: 0x3fff_ffff }, BAD_PAGE),
    badCopy("G9: refuses a domain that is not", { sourceDomid: STRANGER }, BAD_DOMAIN),
    badCopy("G9: refuses the back ends' frames", { sourceDomid: BACKEND }, PERMISSION_DENIED),
    badCopy("G1: refuses a reference past the table", { source: NO_REF, flags: SOURCE_GREF }, BAD_GNTREF),
    badCopy("G2: refuses an entry that grants nothing", { source: UNUSED, flags: SOURCE_GREF }, GENERAL_ERROR),
    badCopy("G3: refuses what is granted to another domain", { source: 1, flags: SOURCE_GREF }, GENERAL_ERROR),
    ...badCounts(op.copy, copyFields, false),
  ]),
  op.querySize.table("frames in use, and the most that there may be", [
    op.querySize.row("tells", { dom: SELF }, 0, {
      after: { nrFrames: atLeast(1), maxNrFrames: atLeast(4), status: OKAY },
    }),
    op.querySize.row("refuses the back ends' domain", { dom: BACKEND }, 0, { after: { status: PERMISSION_DENIED } }),
    op.querySize.row("refuses another domain", { dom: STRANGER }, 0, { after: { status: BAD_DOMAIN } }),
    ...badCounts(op.querySize, { dom: SELF }, true),
  ]),
  op.setVersion.table("turns to version 1 or 2; all but the reserved entries are forgotten", [
    op.setVersion.row("stays with version 1", { version: 1 }, 0, { after: { version: 1 } }),
    op.setVersion.row("turns to version 2, and back", { version: 2 }, 0, { after: { version: 2 }, last: [version(1)] }),
    ...[0, 3, 0xffff_ffff].map((number) =>
      op.setVersion.row(`G10: refuses version ${number}`, { version: number }, EINVAL),
    ),
    ...badCounts(op.setVersion, { version: 1 }, true),
  ]),
  op.statusFrames.table("at which guest frames the status frames of version 2 show", [
    op.statusFrames.row("tells of one", { nrFrames: 1, dom: SELF, frameList: at("data") }, 0, {
      first: [version(2)],
      memory: [{ at: at("data"), width: 8, values: [0] }],
      after: { status: OKAY },
      last: [version(1)],
    }),
    op.statusFrames.row("has none in version 1", { nrFrames: 1, dom: SELF, frameList: at("data") }, 0, {
      after: { status: GENERAL_ERROR },
    }),
    op.statusFrames.row("refuses the back ends' domain", { nrFrames: 1, dom: BACKEND, frameList: at("data") }, 0, {
      after: { status: PERMISSION_DENIED },
    }),
    op.statusFrames.row("refuses another domain", { nrFrames: 1, dom: STRANGER, frameList: at("data") }, 0, {
      after: { status: BAD_DOMAIN },
    }),
    op.statusFrames.row(
      "H3: refuses a list that is not there",
      { nrFrames: 1, dom: SELF, frameList: at("hole") },
      EFAULT,
      {
        first: [version(2)],
        last: [version(1)],
      },
    ),
    ...badCounts(op.statusFrames, { nrFrames: 0, dom: SELF }, true),
  ]),
  op.getVersion.table("the version in use", [
    op.getVersion.row("tells of version 1", { dom: SELF }, 0, { after: { version: 1 } }),
    op.getVersion.row("tells of version 2", { dom: SELF }, 0, {
      first: [version(2)],
      after: { version: 2 },
      last: [version(1)],
    }),
    op.getVersion.row("refuses the back ends' domain", { dom: BACKEND }, EPERM),
    op.getVersion.row("refuses another domain", { dom: STRANGER }, ESRCH),
  ]),
  op.swap.table("swaps two entries that nobody has mapped", [
    op.swap.row("swaps two that grant nothing", { refA: UNUSED, refB: UNUSED + 1 }, 0, { after: { status: OKAY } }),
    op.swap.row("G1: refuses one past the table", { refA: UNUSED, refB: NO_REF }, 0, { after: { status: BAD_GNTREF } }),
    ...badCounts(op.swap, { refA: UNUSED, refB: UNUSED }, true),
  ]),
  ...(
    [
      [3, "GNTTABOP_dump_table", "not offered: the hypervisor's own console has it"],
      [4, "GNTTABOP_transfer", "not offered: of PV guests"],
      [7, "GNTTABOP_unmap_and_replace", "not offered: of PV guests"],
      [12, "GNTTABOP_cache_flush", "not offered: of the ARM architecture"],
    ] as const
  ).map(([number, name, does]) => {
    const refused = family.bare(number, name);
    return refused.table(does, [refused.row("G12: refuses", {}, ENOSYS, { args: { 1: at("argument") } })]);
  }),
]);
