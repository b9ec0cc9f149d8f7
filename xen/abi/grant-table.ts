/** grant_table_op and grant entries. [GRANT] xen.git xen/include/public/grant_table.h */
import { struct, u16, u32 } from "../../shared/struct.js";
import type { FieldType } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `GNTTABOP_*`. */
export const Gnttabop = {
  map_grant_ref: 0,
  unmap_grant_ref: 1,
  setup_table: 2,
  dump_table: 3,
  transfer: 4,
  copy: 5,
  query_size: 6,
  unmap_and_replace: 7,
  set_version: 8,
  get_status_frames: 9,
  get_version: 10,
  swap_grant_ref: 11,
  cache_flush: 12,
} as const;

/** The command's low bits; above them lies where a pre-empted call goes on. */
export const GNTTABOP_CMD_MASK = 0xfff;

/** `GTF_*`. */
export const Gtf = {
  typeMask: 3,
  invalid: 0,
  permitAccess: 1,
  acceptTransfer: 2,
  transitive: 3,
  readonly: 1 << 2,
  reading: 1 << 3,
  writing: 1 << 4,
  subPage: 1 << 8,
} as const;

/** `GNTST_*`. */
export const Gntst = {
  okay: 0,
  generalError: -1,
  badDomain: -2,
  badGntref: -3,
  badHandle: -4,
  permissionDenied: -8,
  badPage: -9,
  badCopyArg: -10,
  eagain: -12,
} as const;

/** `GNTCOPY_*`: source, destination are grant references. */
export const Gntcopy = { sourceGref: 1, destGref: 2 } as const;

/** `GNTTAB_RESERVED_*`: entries that the domain builder fills. */
export const RESERVED_CONSOLE = 0;
export const RESERVED_XENSTORE = 1;
/** GNTTAB_NR_RESERVED_ENTRIES: kept when the version changes. */
export const RESERVED_ENTRIES = 8;

const i16: FieldType<number> = {
  size: 2,
  align: 2,
  get: (view, offset) => view.getInt16(offset, true),
  set: (view, offset, value) => {
    view.setInt16(offset, value, true);
  },
};

/** struct grant_entry_v1. `flags` and `domid` share a word that both sides race on: touched by compare-exchange. */
export const grantEntryV1 = struct("grant_entry_v1", 8, () => ({ flags: u16, domid: u16, frame: u32 }));

export const gnttabSetupTable = dualStruct("gnttab_setup_table", [24, 16], (t) => ({
  dom: u16,
  nrFrames: u32,
  status: i16,
  frameListLow: t.pointerLow,
  frameListHigh: t.pointerHigh,
}));
export const gnttabQuerySize = dualStruct("gnttab_query_size", [16, 16], () => ({
  dom: u16,
  nrFrames: u32,
  maxNrFrames: u32,
  status: i16,
}));
export const gnttabMapGrantRef = dualStruct("gnttab_map_grant_ref", [32, 32], ({ u64 }) => ({
  hostAddr: u64,
  flags: u32,
  ref: u32,
  dom: u16,
  status: i16,
  handle: u32,
  devBusAddr: u64,
}));
export const gnttabUnmapGrantRef = dualStruct("gnttab_unmap_grant_ref", [24, 24], ({ u64 }) => ({
  hostAddr: u64,
  devBusAddr: u64,
  handle: u32,
  status: i16,
}));
/** `source` and `dest` are a grant reference or a frame. */
export const gnttabCopy = dualStruct("gnttab_copy", [40, 24], ({ ulong, widePad }) => ({
  source: ulong,
  sourceDomid: u16,
  sourceOffset: u16,
  dest: ulong,
  destDomid: u16,
  destOffset: u16,
  pad: widePad,
  len: u16,
  flags: u16,
  status: i16,
}));
export const gnttabGetStatusFrames = dualStruct("gnttab_get_status_frames", [16, 12], (t) => ({
  nrFrames: u32,
  dom: u16,
  status: i16,
  frameListLow: t.pointerLow,
  frameListHigh: t.pointerHigh,
}));
export const gnttabSwapGrantRef = dualStruct("gnttab_swap_grant_ref", [12, 12], () => ({
  refA: u32,
  refB: u32,
  status: i16,
}));
export const gnttabSetVersion = dualStruct("gnttab_set_version", [4, 4], () => ({ version: u32 }));
export const gnttabGetVersion = dualStruct("gnttab_get_version", [8, 8], () => ({ dom: u16, pad: u16, version: u32 }));
