/** physdev_op. [PHYSDEV] xen.git xen/include/public/physdev.h */
import { i32, u16, u32 } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `PHYSDEVOP_*`. */
export const Physdevop = {
  irq_status_query: 5,
  set_iopl: 6,
  set_iobitmap: 7,
  apic_read: 8,
  apic_write: 9,
  eoi: 12,
  map_pirq: 13,
  unmap_pirq: 14,
  pirq_eoi_gmfn_v1: 17,
  setup_gsi: 21,
  get_free_pirq: 23,
  pirq_eoi_gmfn_v2: 28,
} as const;

/** `MAP_PIRQ_TYPE_*`. */
export const MapPirqType = { msi: 0, gsi: 1 } as const;
/** physdev_irq_status_query.flags. */
export const XENIRQSTAT_needs_eoi = 1;

export const physdevEoi = dualStruct("physdev_eoi", [4, 4], () => ({ irq: u32 }));
export const irqStatusQuery = dualStruct("physdev_irq_status_query", [8, 8], () => ({ irq: u32, flags: u32 }));
export const mapPirq = dualStruct("physdev_map_pirq", [40, 36], (t) => ({
  domid: u16,
  type: i32,
  index: i32,
  pirq: i32,
  bus: i32,
  devfn: i32,
  entryNr: i32,
  tableBase: t.u64,
}));
export const unmapPirq = dualStruct("physdev_unmap_pirq", [8, 8], () => ({ domid: u16, pirq: i32 }));
export const getFreePirq = dualStruct("physdev_get_free_pirq", [8, 8], () => ({ type: i32, pirq: u32 }));
