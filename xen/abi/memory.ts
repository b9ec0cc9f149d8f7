/** memory_op. [MEMORY] xen.git xen/include/public/memory.h */
import { bytes, u16, u32, u64n, u8 } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `XENMEM_*`. */
export const Xenmem = {
  increase_reservation: 0,
  decrease_reservation: 1,
  maximum_ram_page: 2,
  current_reservation: 3,
  maximum_reservation: 4,
  machphys_mfn_list: 5,
  populate_physmap: 6,
  add_to_physmap: 7,
  memory_map: 9,
  machine_memory_map: 10,
  exchange: 11,
  machphys_mapping: 12,
  set_memory_map: 13,
  maximum_gpfn: 14,
  remove_from_physmap: 15,
  set_pod_target: 16,
  get_pod_target: 17,
  access_op: 21,
  add_to_physmap_batch: 23,
  claim_pages: 24,
  get_vnumainfo: 26,
  reserved_device_memory_map: 27,
  acquire_resource: 28,
} as const;

/** The command's low bits; above them lies where a pre-empted call goes on. */
export const MEMOP_CMD_MASK = 0x3f;

/** `XENMAPSPACE_*`. */
export const MapSpace = {
  sharedInfo: 0,
  grantTable: 1,
  gmfn: 2,
  gmfnRange: 3,
  gmfnForeign: 4,
  devMmio: 5,
} as const;

/** In `idx` of the grant table's space: a status frame of version 2. */
export const XENMAPIDX_grant_table_status = 0x8000_0000;

export const addToPhysmap = dualStruct("xen_add_to_physmap", [24, 16], (t) => ({
  domid: u16,
  size: u16,
  space: u32,
  idx: t.ulong,
  gpfn: t.ulong,
}));

export const addToPhysmapBatch = dualStruct("xen_add_to_physmap_batch", [32, 20], (t) => ({
  domid: u16,
  space: u16,
  size: u16,
  foreignDomid: u16,
  idxsLow: t.pointerLow,
  idxsHigh: t.pointerHigh,
  gpfnsLow: t.pointerLow,
  gpfnsHigh: t.pointerHigh,
  errsLow: t.pointerLow,
  errsHigh: t.pointerHigh,
}));

export const removeFromPhysmap = dualStruct("xen_remove_from_physmap", [16, 8], (t) => ({
  domid: u16,
  gpfn: t.ulong,
}));

export const memoryReservation = dualStruct("xen_memory_reservation", [32, 20], (t) => ({
  extentStartLow: t.pointerLow,
  extentStartHigh: t.pointerHigh,
  nrExtents: t.ulong,
  extentOrder: u32,
  memFlags: u32,
  domid: u16,
}));

export const memoryMap = dualStruct("xen_memory_map", [16, 8], (t) => ({
  nrEntries: u32,
  bufferLow: t.pointerLow,
  bufferHigh: t.pointerHigh,
}));

/** struct xen_foreign_memory_map; its inner struct begins where a pointer may. */
export const foreignMemoryMap = dualStruct("xen_foreign_memory_map", [24, 12], (t) => ({
  domid: u16,
  nrEntries: t.structLow,
  bufferLow: t.pointerLow,
  bufferHigh: t.pointerHigh,
}));

export const podTarget = dualStruct("xen_pod_target", [40, 36], (t) => ({
  targetPages: t.u64,
  totPages: t.u64,
  podCachePages: t.u64,
  podEntries: t.u64,
  domid: u16,
}));

export const memAccessOp = dualStruct("xen_mem_access_op", [32, 24], (t) => ({
  op: u8,
  access: u8,
  domid: u16,
  nr: u32,
  pfn: u64n,
  pfnListLow: t.pointerLow,
  pfnListHigh: t.pointerHigh,
  accessListLow: t.pointerLow,
  accessListHigh: t.pointerHigh,
}));

/** Its pointers lie in 64 bits each. */
export const vnumaTopologyInfo = dualStruct("xen_vnuma_topology_info", [40, 40], (t) => ({
  domid: u16,
  pad: u16,
  nrVnodes: u32,
  nrVcpus: u32,
  nrVmemranges: u32,
  vdistance: t.u64,
  vcpuToVnode: t.u64,
  vmemrange: t.u64,
}));

export const reservedDeviceMemoryMap = dualStruct("xen_reserved_device_memory_map", [24, 16], (t) => ({
  flags: u32,
  nrEntries: u32,
  bufferLow: t.pointerLow,
  bufferHigh: t.pointerHigh,
  device: bytes(4, 2),
}));
/** XENMEM_RDM_ALL: of every device. */
export const RDM_ALL = 1;

/** struct xen_memory_domain, named nowhere in the guest's headers but as the argument of three queries. */
export const memoryDomain = dualStruct("xen_memory_domain", [2, 2], () => ({ domid: u16 }));

/** One entry as BIOS INT 15h, AX=E820h gives it: packed, in bytes. */
export const E820_ENTRY_SIZE = 20;
/** Entries that a memory map may have, to Xen. */
export const E820_MAX_ENTRIES = 1024;

/** `mem_flags` of a reservation, XENMEMF_*: bits that the address may have; the host's node, and that no other will do. */
export const MemFlag = {
  addressBits: 0xff,
  node: 0xff00,
  populateOnDemand: 1 << 16,
  exactNode: 1 << 17,
  virtualNode: 1 << 18,
} as const;

/** XENMAPIDX_grant_table_status: bit of an index into the grant table that means a status frame. */
export const GRANT_STATUS = 0x8000_0000;
