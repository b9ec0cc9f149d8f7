/** hvm_op and HVM parameters. [HVMOP] xen.git xen/include/public/hvm/hvm_op.h; [PARAMS] hvm/params.h */
import { bytes, u16, u32, u8 } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `HVMOP_*`. */
export const Hvmop = {
  set_param: 0,
  get_param: 1,
  set_pci_intx_level: 2,
  set_isa_irq_level: 3,
  set_pci_link_route: 4,
  flush_tlbs: 5,
  pagetable_dying: 9,
  get_time: 10,
  xentrace: 11,
  set_mem_access: 12,
  get_mem_access: 13,
  get_mem_type: 15,
  set_evtchn_upcall_vector: 23,
  guest_request_vm_event: 24,
  altp2m: 25,
} as const;

/** `HVM_PARAM_*`, those with a meaning for a guest. */
export const HvmParam = {
  CALLBACK_IRQ: 0,
  STORE_PFN: 1,
  STORE_EVTCHN: 2,
  DM_DOMAIN: 13,
  VM86_TSS: 15,
  CONSOLE_PFN: 17,
  CONSOLE_EVTCHN: 18,
  ACPI_IOPORTS_LOCATION: 19,
  BUFIOREQ_EVTCHN: 26,
  VM_GENERATION_ID_ADDR: 34,
  ALTP2M: 35,
  X87_FIP_WIDTH: 36,
  VM86_TSS_SIZED: 37,
} as const;
export const HVM_NR_PARAMS = 39;

/** HVM_PARAM_CALLBACK_IRQ, bits 63:56. */
export const CallbackType = { gsi: 0, pciIntx: 1, vector: 2 } as const;

export const hvmParam = dualStruct("xen_hvm_param", [16, 16], (t) => ({
  domid: u16,
  pad: u16,
  index: u32,
  valueLow: t.u64lo,
  valueHigh: u32,
}));

export const evtchnUpcallVector = dualStruct("xen_hvm_evtchn_upcall_vector", [8, 8], () => ({
  vcpu: u32,
  vector: u8,
}));

export const hvmGetTime = dualStruct("xen_hvm_get_time", [8, 8], (t) => ({ now: t.u64 }));

export const hvmGetMemType = dualStruct("xen_hvm_get_mem_type", [16, 16], (t) => ({
  domid: u16,
  memType: u16,
  pad: bytes(4, 2),
  pfn: t.u64,
}));

export const hvmPagetableDying = dualStruct("xen_hvm_pagetable_dying", [16, 16], (t) => ({
  domid: u16,
  pad: bytes(6, 2),
  gpa: t.u64,
}));

/** Words of 4 bytes that a trace record has beside its event, TRACE_EXTRA_MAX of trace.h. */
const TRACE_EXTRA_WORDS = 7;
export const TRACE_EXTRA_BYTES = TRACE_EXTRA_WORDS * 4;
/** Bits of an event's number that a guest may use: those below the sub-class, TRC_SUBCLS_SHIFT of trace.h. */
export const TRACE_EVENT_MASK = 0xfff;

export const hvmXentrace = dualStruct("xen_hvm_xentrace", [32, 32], () => ({
  event: u16,
  extraBytes: u16,
  extra: bytes(TRACE_EXTRA_BYTES, 1),
}));

/** hvmmem_type_t. */
export const HvmMem = { ramReadWrite: 0, ramReadOnly: 1, mmio: 2 } as const;
