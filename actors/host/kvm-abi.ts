/**
 * Numbers and layouts of KVM's interface, as far as we use it.
 *
 * [KVM] <linux/kvm.h> and <asm/kvm.h>; Documentation/virt/kvm/api.rst.
 */
import { bytes, i32, struct, u16, u32, u64, u64n, u8 } from "../../shared/struct.js";

/** asm-generic/ioctl.h: direction, size, type and number of a request. */
const KVMIO = 0xae;
function io(nr: number): number {
  return KVMIO * 256 + nr;
}
function iow(nr: number, size: number): number {
  return 0x4000_0000 + size * 65_536 + io(nr);
}
function ior(nr: number, size: number): number {
  return 0x8000_0000 + size * 65_536 + io(nr);
}
function iowr(nr: number, size: number): number {
  return 0xc000_0000 + size * 65_536 + io(nr);
}

export const KVM_API_VERSION = 12;

/** KVM_CAP_*: what KVM_CHECK_EXTENSION is asked for. */
export const KvmCap = {
  USER_MEMORY: 3,
  /** Its value is the ring's page in a vCPU's run area. */
  COALESCED_MMIO: 15,
  XEN_HVM: 38,
  ADJUST_CLOCK: 39,
  VCPU_EVENTS: 41,
  SYNC_REGS: 74,
  SIGNAL_MSI: 77,
  READONLY_MEM: 81,
  SPLIT_IRQCHIP: 121,
  COALESCED_PIO: 162,
  HYPERV_SYNIC2: 148,
  HYPERV_CPUID: 167,
  SYS_HYPERV_CPUID: 191,
  X2APIC_API: 129,
  IMMEDIATE_EXIT: 136,
  X86_USER_SPACE_MSR: 188,
  X86_MSR_FILTER: 189,
  MAX_VCPUS: 66,
  GET_TSC_KHZ: 61,
  TSC_DEADLINE_TIMER: 72,
} as const;
export type KvmCapName = keyof typeof KvmCap;

/** KVM_EXIT_*: why KVM_RUN returned. */
export const KvmExit = {
  unknown: 0,
  io: 2,
  hypercall: 3,
  debug: 4,
  hlt: 5,
  mmio: 6,
  irqWindowOpen: 7,
  shutdown: 8,
  failEntry: 9,
  intr: 10,
  setTpr: 11,
  nmi: 16,
  internalError: 17,
  systemEvent: 24,
  ioapicEoi: 26,
  hyperv: 27,
  rdmsr: 29,
  wrmsr: 30,
  xen: 34,
} as const;

/** Why a system event exit came: Hyper-V's reset and crash MSRs. */
export const KvmSystemEvent = { reset: 2, crash: 3 } as const;
/** KVM_EXIT_HYPERV_HCALL: a hypercall of Hyper-V's; other types say that a register of its changed. */
export const KVM_EXIT_HYPERV_HCALL = 2;

export const kvmSegment = struct("kvm_segment", 24, () => ({
  base: u64n,
  limit: u32,
  selector: u16,
  type: u8,
  present: u8,
  dpl: u8,
  db: u8,
  s: u8,
  l: u8,
  g: u8,
  avl: u8,
  unusable: u8,
  padding: u8,
}));

export const kvmRegs = struct("kvm_regs", 144, () => ({
  rax: u64,
  rbx: u64,
  rcx: u64,
  rdx: u64,
  rsi: u64,
  rdi: u64,
  rsp: u64,
  rbp: u64,
  r8: u64,
  r9: u64,
  r10: u64,
  r11: u64,
  r12: u64,
  r13: u64,
  r14: u64,
  r15: u64,
  rip: u64,
  rflags: u64,
}));

export const kvmSregs = struct("kvm_sregs", 312, () => ({
  cs: bytes(24, 8),
  ds: bytes(24, 8),
  es: bytes(24, 8),
  fs: bytes(24, 8),
  gs: bytes(24, 8),
  ss: bytes(24, 8),
  tr: bytes(24, 8),
  ldt: bytes(24, 8),
  gdtBase: u64n,
  gdtLimit: u16,
  gdtPadding: bytes(6),
  idtBase: u64n,
  idtLimit: u16,
  idtPadding: bytes(6),
  cr0: u64n,
  cr2: u64,
  cr3: u64n,
  cr4: u64n,
  cr8: u64n,
  efer: u64n,
  apicBase: u64n,
  interruptBitmap: bytes(32, 8),
}));

export const kvmVcpuEvents = struct("kvm_vcpu_events", 64, () => ({
  exceptionInjected: u8,
  exceptionNr: u8,
  exceptionHasErrorCode: u8,
  exceptionPending: u8,
  exceptionErrorCode: u32,
  interruptInjected: u8,
  interruptNr: u8,
  interruptSoft: u8,
  interruptShadow: u8,
  nmiInjected: u8,
  nmiPending: u8,
  nmiMasked: u8,
  nmiPad: u8,
  sipiVector: u32,
  flags: u32,
  smi: bytes(4),
  tripleFaultPending: u8,
  reserved: bytes(26),
  exceptionHasPayload: u8,
  exceptionPayload: u64,
}));

/** Flags of kvm_vcpu_events: which fields SET_VCPU_EVENTS takes. */
export const KvmVcpuEvent = { nmiPending: 1, shadow: 4 } as const;

/** Only what differs from zero at reset has a name. */
export const kvmFpu = struct("kvm_fpu", 416, () => ({
  registers: bytes(128),
  fcw: u16,
  rest: bytes(278),
  mxcsr: u32,
  padding: u32,
}));
export const kvmDebugregs = struct("kvm_debugregs", 128, () => ({
  db: bytes(32, 8),
  dr6: u64,
  dr7: u64,
  reserved: bytes(80, 8),
}));
/** With the first of sixteen registers. */
export const kvmXcrs = struct("kvm_xcrs", 392, () => ({
  nrXcrs: u32,
  flags: u32,
  xcr: u32,
  reserved: u32,
  value: u64,
  others: bytes(368, 8),
}));

export const kvmDeviceAttr = struct("kvm_device_attr", 24, () => ({ flags: u32, group: u32, attr: u64n, addr: u64n }));
/** Attributes of a vCPU that are about its TSC, and the one of them there is; Linux 5.16. */
export const KVM_VCPU_TSC_CTRL = 0;
export const KVM_VCPU_TSC_OFFSET = 0;

/** A flag of kvm_userspace_memory_region. */
export const KVM_MEM_READONLY = 2;
export const kvmUserspaceMemoryRegion = struct("kvm_userspace_memory_region", 32, () => ({
  slot: u32,
  flags: u32,
  guestPhysAddr: u64n,
  memorySize: u64n,
  userspaceAddr: u64n,
}));

/** `addr` is guest-physical, unless a flag says that it is a port. */
export const kvmIoeventfd = struct("kvm_ioeventfd", 64, () => ({
  datamatch: u64n,
  addr: u64n,
  len: u32,
  fd: i32,
  flags: u32,
  pad: bytes(36),
}));
export const KVM_IOEVENTFD_FLAG_DEASSIGN = 1 << 2;

export const kvmCoalescedMmioZone = struct("kvm_coalesced_mmio_zone", 16, () => ({
  addr: u64n,
  size: u32,
  pio: u32,
}));
/** The ring's head; entries follow to the end of the page. */
export const kvmCoalescedMmioRing = struct("kvm_coalesced_mmio_ring", 8, () => ({
  first: u32,
  last: u32,
}));
export const kvmCoalescedMmio = struct("kvm_coalesced_mmio", 24, () => ({
  physAddr: u64n,
  len: u32,
  pio: u32,
  data: u64n,
}));
export const KVM_COALESCED_MMIO_MAX = Math.floor((4096 - kvmCoalescedMmioRing.size) / kvmCoalescedMmio.size);

export const kvmMsi = struct("kvm_msi", 32, () => ({
  addressLo: u32,
  addressHi: u32,
  data: u32,
  flags: u32,
  devid: u32,
  pad: bytes(12),
}));

export const kvmEnableCap = struct("kvm_enable_cap", 104, () => ({
  cap: u32,
  flags: u32,
  arg0: u64n,
  arg1: u64n,
  arg2: u64n,
  arg3: u64n,
  pad: bytes(64),
}));

export const kvmCpuidEntry = struct("kvm_cpuid_entry2", 40, () => ({
  function: u32,
  index: u32,
  flags: u32,
  eax: u32,
  ebx: u32,
  ecx: u32,
  edx: u32,
  padding: bytes(12, 4),
}));
/** struct kvm_cpuid2: a count and a pad, then the entries. */
export const KVM_CPUID2_HEADER = 8;
export const KVM_CPUID_FLAG_SIGNIFCANT_INDEX = 1;

export const kvmMsrEntry = struct("kvm_msr_entry", 16, () => ({ index: u32, reserved: u32, data: u64 }));
/** struct kvm_msrs: a count and a pad, then the entries. */
export const KVM_MSRS_HEADER = 8;

export const kvmMsrFilterRange = struct("kvm_msr_filter_range", 24, () => ({
  flags: u32,
  nmsrs: u32,
  base: u32,
  bitmap: u64n,
}));
/** struct kvm_msr_filter: flags and a pad, then 16 ranges. */
export const KVM_MSR_FILTER = { size: 392, ranges: 8, read: 1, write: 2 } as const;

export const kvmIrqRoutingMsi = struct("kvm_irq_routing_entry (msi)", 48, () => ({
  gsi: u32,
  type: u32,
  flags: u32,
  pad: u32,
  addressLo: u32,
  addressHi: u32,
  data: u32,
  devid: u32,
  rest: bytes(16),
}));
/** struct kvm_irq_routing: nr and flags, then the entries. */
export const KVM_IRQ_ROUTING_HEADER = 8;
export const KVM_IRQ_ROUTING_MSI = 2;

export const kvmClockData = struct("kvm_clock_data", 48, () => ({
  clock: u64n,
  flags: u32,
  pad0: u32,
  realtime: u64n,
  hostTsc: u64,
  pad: bytes(16),
}));

export const kvmXenHvmConfig = struct("kvm_xen_hvm_config", 56, () => ({
  flags: u32,
  msr: u32,
  blobAddr32: u64n,
  blobAddr64: u64n,
  blobSize32: u8,
  blobSize64: u8,
  pad: bytes(30),
}));
/** KVM_XEN_HVM_CONFIG_*: bits of KVM_CAP_XEN_HVM and of the config's flags. */
export const KvmXenFlag = {
  HYPERCALL_MSR: 1 << 0,
  INTERCEPT_HCALL: 1 << 1,
  SHARED_INFO: 1 << 2,
  RUNSTATE: 1 << 3,
  EVTCHN_2LEVEL: 1 << 4,
  EVTCHN_SEND: 1 << 5,
  RUNSTATE_UPDATE_FLAG: 1 << 6,
  PVCLOCK_TSC_UNSTABLE: 1 << 7,
  SHARED_INFO_HVA: 1 << 8,
} as const;

/** struct kvm_xen_hvm_attr, with the union's members one after the other by type. */
export const kvmXenHvmAttr = struct("kvm_xen_hvm_attr", 72, () => ({
  type: u16,
  pad: bytes(6),
  value: u64n,
  rest: bytes(56),
}));
export const kvmXenHvmAttrEvtchn = struct("kvm_xen_hvm_attr (evtchn)", 72, () => ({
  type: u16,
  pad: bytes(6),
  sendPort: u32,
  evtchnType: u32,
  flags: u32,
  /** The port to raise, or 0 for an eventfd. */
  port: u32,
  /** The vCPU's APIC id, or the eventfd. */
  vcpuOrFd: i32,
  priority: u32,
  rest: bytes(40),
}));
export const KvmXenAttr = { LONG_MODE: 0, SHARED_INFO: 1, UPCALL_VECTOR: 2, EVTCHN: 3, XEN_VERSION: 4 } as const;
/** Of headers since Linux 6.3 and 6.9. */
export const KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG = 5;
export const KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA = 6;
export const KVM_XEN_EVTCHN_DEASSIGN = 1;
/** Priority of a 2-level event channel route. */
export const KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL = 0xffff_ffff;

export const kvmXenVcpuAttr = struct("kvm_xen_vcpu_attr", 72, () => ({
  type: u16,
  pad: bytes(6),
  value: u64n,
  rest: bytes(56),
}));
export const kvmXenVcpuAttrTimer = struct("kvm_xen_vcpu_attr (timer)", 72, () => ({
  type: u16,
  pad: bytes(6),
  port: u32,
  priority: u32,
  expiresNs: u64n,
  rest: bytes(48),
}));
export const KvmXenVcpuAttr = {
  VCPU_INFO: 0,
  VCPU_TIME_INFO: 1,
  RUNSTATE_ADDR: 2,
  VCPU_ID: 6,
  TIMER: 7,
  UPCALL_VECTOR: 8,
} as const;
/** Of headers since Linux 6.9. */
export const KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA = 9;
/** What an address attribute is set to for "nowhere": all 64 bits set. */
export const KVM_XEN_INVALID_GPA = -1;

export const kvmXenEvtchn = struct("kvm_irq_routing_xen_evtchn", 12, () => ({ port: u32, vcpu: u32, priority: u32 }));

/** ioctl requests, in the order of their numbers. */
export const KVM = {
  GET_API_VERSION: io(0x00),
  CREATE_VM: io(0x01),
  CHECK_EXTENSION: io(0x03),
  GET_VCPU_MMAP_SIZE: io(0x04),
  GET_SUPPORTED_CPUID: iowr(0x05, 8),
  CREATE_VCPU: io(0x41),
  SET_USER_MEMORY_REGION: iow(0x46, kvmUserspaceMemoryRegion.size),
  SET_TSS_ADDR: io(0x47),
  SET_IDENTITY_MAP_ADDR: iow(0x48, 8),
  SET_GSI_ROUTING: iow(0x6a, 8),
  REGISTER_COALESCED_MMIO: iow(0x67, kvmCoalescedMmioZone.size),
  IOEVENTFD: iow(0x79, kvmIoeventfd.size),
  XEN_HVM_CONFIG: iow(0x7a, kvmXenHvmConfig.size),
  SET_CLOCK: iow(0x7b, kvmClockData.size),
  GET_CLOCK: ior(0x7c, kvmClockData.size),
  RUN: io(0x80),
  GET_REGS: ior(0x81, kvmRegs.size),
  SET_REGS: iow(0x82, kvmRegs.size),
  GET_SREGS: ior(0x83, kvmSregs.size),
  SET_SREGS: iow(0x84, kvmSregs.size),
  INTERRUPT: iow(0x86, 4),
  GET_MSRS: iowr(0x88, 8),
  SET_MSRS: iow(0x89, 8),
  SET_SIGNAL_MASK: iow(0x8b, 4),
  SET_FPU: iow(0x8d, kvmFpu.size),
  GET_LAPIC: ior(0x8e, 1024),
  SET_LAPIC: iow(0x8f, 1024),
  SET_CPUID2: iow(0x90, 8),
  GET_MP_STATE: ior(0x98, 4),
  SET_MP_STATE: iow(0x99, 4),
  GET_VCPU_EVENTS: ior(0x9f, kvmVcpuEvents.size),
  SET_VCPU_EVENTS: iow(0xa0, kvmVcpuEvents.size),
  SET_DEBUGREGS: iow(0xa2, kvmDebugregs.size),
  ENABLE_CAP: iow(0xa3, kvmEnableCap.size),
  GET_TSC_KHZ: io(0xa3),
  SIGNAL_MSI: iow(0xa5, kvmMsi.size),
  SET_XCRS: iow(0xa7, kvmXcrs.size),
  SET_DEVICE_ATTR: iow(0xe1, kvmDeviceAttr.size),
  GET_DEVICE_ATTR: iow(0xe2, kvmDeviceAttr.size),
  GET_SUPPORTED_HV_CPUID: iowr(0xc1, 8),
  X86_SET_MSR_FILTER: iow(0xc6, KVM_MSR_FILTER.size),
  XEN_HVM_SET_ATTR: iow(0xc9, kvmXenHvmAttr.size),
  XEN_VCPU_GET_ATTR: iowr(0xca, kvmXenVcpuAttr.size),
  XEN_VCPU_SET_ATTR: iow(0xcb, kvmXenVcpuAttr.size),
  XEN_HVM_EVTCHN_SEND: iow(0xd0, kvmXenEvtchn.size),
} as const;
export type KvmRequest = keyof typeof KVM;
