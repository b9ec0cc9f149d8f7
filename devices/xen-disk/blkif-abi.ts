/**
 * The block interface's messages as the guest lays them out: x86-64 and i386 differ in the alignment of 64-bit fields.
 *
 * [BLKIF] xen.git xen/include/public/io/blkif.h
 * [RING] xen.git xen/include/public/io/ring.h
 * [PROTOCOLS] xen.git xen/include/public/io/protocols.h
 */
import { bytes, struct, u16, u32, u64n, u64n4, u8 } from "../../shared/struct.js";
import type { FieldType, Struct } from "../../shared/struct.js";
import { PAGE_SIZE } from "../../shared/brand.js";

/** BLKIF_OP_*, [BLKIF]. */
export const BlkifOp = {
  read: 0,
  write: 1,
  writeBarrier: 2,
  flushDiskcache: 3,
  discard: 5,
  indirect: 6,
} as const;

/** BLKIF_RSP_*, [BLKIF]. */
export const BlkifStatus = { okay: 0, error: -1, notSupported: -2 } as const;

/** VDISK_*: bits of the node `info`, [BLKIF]. */
export const VdiskInfo = { cdrom: 0x1, removable: 0x2, readOnly: 0x4 } as const;

/** BLKIF_MAX_SEGMENTS_PER_REQUEST, [BLKIF]. */
export const MAX_DIRECT_SEGMENTS = 11;
/** BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST, [BLKIF]. */
const MAX_INDIRECT_PAGES = 8;
/** Indices and padding before the first slot: offsetof(blkif_sring, ring), [RING]. */
export const RING_HEADER_SIZE = 64;

/** struct blkif_request_segment: the same in both ABIs. */
export const blkifSegment = struct("blkif_request_segment", 8, () => ({ gref: u32, firstSect: u8, lastSect: u8 }));

/** The first half of an opaque 64-bit id, aligned as x86-64 has it. */
const u32a8: FieldType<number> = { ...u32, align: 8 };
const SEGMENTS_SIZE = MAX_DIRECT_SEGMENTS * blkifSegment.size;

const request64 = struct("blkif_request (x86_64)", 112, () => ({
  operation: u8,
  nrSegments: u8,
  handle: u16,
  idLow: u32a8,
  idHigh: u32,
  sectorNumber: u64n,
  segments: bytes(SEGMENTS_SIZE, 8),
}));
const request32 = struct("blkif_request (x86_32)", 108, () => ({
  operation: u8,
  nrSegments: u8,
  handle: u16,
  idLow: u32,
  idHigh: u32,
  sectorNumber: u64n4,
  segments: bytes(SEGMENTS_SIZE, 4),
}));
const discard64 = struct("blkif_request_discard (x86_64)", 32, () => ({
  operation: u8,
  flag: u8,
  handle: u16,
  idLow: u32a8,
  idHigh: u32,
  sectorNumber: u64n,
  nrSectors: u64n,
}));
const discard32 = struct("blkif_request_discard (x86_32)", 28, () => ({
  operation: u8,
  flag: u8,
  handle: u16,
  idLow: u32,
  idHigh: u32,
  sectorNumber: u64n4,
  nrSectors: u64n4,
}));
const indirect64 = struct("blkif_request_indirect (x86_64)", 64, () => ({
  operation: u8,
  indirectOp: u8,
  nrSegments: u16,
  idLow: u32a8,
  idHigh: u32,
  sectorNumber: u64n,
  handle: u16,
  firstIndirectGref: u32,
  moreIndirectGrefs: bytes((MAX_INDIRECT_PAGES - 1) * 4, 4),
}));
const indirect32 = struct("blkif_request_indirect (x86_32)", 64, () => ({
  operation: u8,
  indirectOp: u8,
  nrSegments: u16,
  idLow: u32,
  idHigh: u32,
  sectorNumber: u64n4,
  handle: u16,
  firstIndirectGref: u32,
  moreIndirectGrefs: bytes((MAX_INDIRECT_PAGES - 1) * 4, 4),
  pad: bytes(8, 4),
}));

/** Values of the front end's node `protocol` that we serve, [PROTOCOLS]. */
export type BlkifAbiName = "x86_64-abi" | "x86_32-abi";

/** Fields of the three request forms, without the layout. */
type RequestFields = typeof request64 extends Struct<infer F> ? F : never;
type DiscardFields = typeof discard64 extends Struct<infer F> ? F : never;
type IndirectFields = typeof indirect64 extends Struct<infer F> ? F : never;

export interface BlkifAbi {
  readonly name: BlkifAbiName;
  /** Distance between slots: sizeof(union blkif_sring_entry), in bytes, a multiple of 4. */
  readonly slotSize: number;
  readonly request: Struct<RequestFields>;
  readonly discard: Struct<DiscardFields>;
  readonly indirect: Struct<IndirectFields>;
}

export const BLKIF_ABIS: Readonly<Record<BlkifAbiName, BlkifAbi>> = {
  "x86_64-abi": { name: "x86_64-abi", slotSize: 112, request: request64, discard: discard64, indirect: indirect64 },
  "x86_32-abi": { name: "x86_32-abi", slotSize: 108, request: request32, discard: discard32, indirect: indirect32 },
};

/** Slots of a ring of `pages` pages: as many as fit, rounded down to a power of two. __RING_SIZE, [RING]. */
export function ringSlots(abi: BlkifAbi, pages: number): number {
  const fit = Math.floor((pages * PAGE_SIZE - RING_HEADER_SIZE) / abi.slotSize);
  return 2 ** Math.floor(Math.log2(fit));
}
