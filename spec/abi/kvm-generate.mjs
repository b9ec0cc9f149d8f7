/**
 * Writes kvm-offsets.json: sizes and offsets of KVM's structs, its ioctl requests and constants, as <linux/kvm.h> has them.
 * Needs gcc and the package linux-libc-dev; run it by hand when a struct is added:
 *
 *     node spec/abi/kvm-generate.mjs
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";

/** Our field names and the C ones, by our name of the struct. */
const STRUCTS = {
  kvmSegment: ["struct kvm_segment", same("base limit selector type present dpl db s l g avl unusable padding")],
  kvmRegs: ["struct kvm_regs", same("rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags")],
  kvmSregs: [
    "struct kvm_sregs",
    {
      ...same("cs ds es fs gs ss tr ldt cr0 cr2 cr3 cr4 cr8 efer"),
      gdtBase: "gdt.base",
      gdtLimit: "gdt.limit",
      idtBase: "idt.base",
      idtLimit: "idt.limit",
      apicBase: "apic_base",
      interruptBitmap: "interrupt_bitmap",
    },
  ],
  kvmVcpuEvents: [
    "struct kvm_vcpu_events",
    {
      exceptionInjected: "exception.injected",
      exceptionNr: "exception.nr",
      exceptionHasErrorCode: "exception.has_error_code",
      exceptionPending: "exception.pending",
      exceptionErrorCode: "exception.error_code",
      interruptInjected: "interrupt.injected",
      interruptNr: "interrupt.nr",
      interruptSoft: "interrupt.soft",
      interruptShadow: "interrupt.shadow",
      nmiInjected: "nmi.injected",
      nmiPending: "nmi.pending",
      nmiMasked: "nmi.masked",
      sipiVector: "sipi_vector",
      flags: "flags",
      smi: "smi",
      tripleFaultPending: "triple_fault",
      reserved: "reserved",
      exceptionHasPayload: "exception_has_payload",
      exceptionPayload: "exception_payload",
    },
  ],
  kvmFpu: ["struct kvm_fpu", same("fcw mxcsr")],
  kvmDebugregs: ["struct kvm_debugregs", same("db dr6 dr7")],
  kvmXcrs: ["struct kvm_xcrs", { nrXcrs: "nr_xcrs", flags: "flags", xcr: "xcrs[0].xcr", value: "xcrs[0].value" }],
  kvmDeviceAttr: ["struct kvm_device_attr", same("flags group attr addr")],
  kvmUserspaceMemoryRegion: [
    "struct kvm_userspace_memory_region",
    {
      slot: "slot",
      flags: "flags",
      guestPhysAddr: "guest_phys_addr",
      memorySize: "memory_size",
      userspaceAddr: "userspace_addr",
    },
  ],
  kvmCoalescedMmioZone: ["struct kvm_coalesced_mmio_zone", same("addr size pio")],
  kvmCoalescedMmioRing: ["struct kvm_coalesced_mmio_ring", same("first last")],
  kvmCoalescedMmio: ["struct kvm_coalesced_mmio", { physAddr: "phys_addr", len: "len", pio: "pio", data: "data" }],
  kvmIoeventfd: ["struct kvm_ioeventfd", same("datamatch addr len fd flags pad")],
  kvmMsi: ["struct kvm_msi", { addressLo: "address_lo", addressHi: "address_hi", ...same("data flags devid") }],
  kvmEnableCap: [
    "struct kvm_enable_cap",
    { cap: "cap", flags: "flags", arg0: "args[0]", arg1: "args[1]", arg2: "args[2]", pad: "pad" },
  ],
  kvmCpuidEntry: ["struct kvm_cpuid_entry2", same("function index flags eax ebx ecx edx padding")],
  kvmMsrEntry: ["struct kvm_msr_entry", same("index reserved data")],
  kvmMsrFilterRange: ["struct kvm_msr_filter_range", same("flags nmsrs base bitmap")],
  kvmIrqRoutingMsi: [
    "struct kvm_irq_routing_entry",
    {
      gsi: "gsi",
      type: "type",
      flags: "flags",
      addressLo: "u.msi.address_lo",
      addressHi: "u.msi.address_hi",
      data: "u.msi.data",
      devid: "u.msi.devid",
    },
  ],
  kvmClockData: [
    "struct kvm_clock_data",
    { clock: "clock", flags: "flags", pad0: "pad0", realtime: "realtime", hostTsc: "host_tsc", pad: "pad" },
  ],
  kvmXenHvmConfig: [
    "struct kvm_xen_hvm_config",
    {
      flags: "flags",
      msr: "msr",
      blobAddr32: "blob_addr_32",
      blobAddr64: "blob_addr_64",
      blobSize32: "blob_size_32",
      blobSize64: "blob_size_64",
    },
  ],
  kvmXenHvmAttr: ["struct kvm_xen_hvm_attr", { type: "type", value: "u.shared_info.gfn" }],
  kvmXenHvmAttrEvtchn: [
    "struct kvm_xen_hvm_attr",
    {
      type: "type",
      sendPort: "u.evtchn.send_port",
      evtchnType: "u.evtchn.type",
      flags: "u.evtchn.flags",
      port: "u.evtchn.deliver.port.port",
      vcpuOrFd: "u.evtchn.deliver.port.vcpu",
      priority: "u.evtchn.deliver.port.priority",
    },
  ],
  kvmXenVcpuAttr: ["struct kvm_xen_vcpu_attr", { type: "type", value: "u.gpa" }],
  kvmXenVcpuAttrTimer: [
    "struct kvm_xen_vcpu_attr",
    { type: "type", port: "u.timer.port", priority: "u.timer.priority", expiresNs: "u.timer.expires_ns" },
  ],
  kvmXenEvtchn: ["struct kvm_irq_routing_xen_evtchn", same("port vcpu priority")],
  /** Not a struct of ours: actors/host/exit.ts knows these places, and its spec fabricates exits by them. */
  kvmRun: [
    "struct kvm_run",
    {
      requestInterruptWindow: "request_interrupt_window",
      immediateExit: "immediate_exit",
      exitReason: "exit_reason",
      readyForInterrupt: "ready_for_interrupt_injection",
      ifFlag: "if_flag",
      ioDirection: "io.direction",
      ioSize: "io.size",
      ioPort: "io.port",
      ioCount: "io.count",
      ioDataOffset: "io.data_offset",
      mmioAddress: "mmio.phys_addr",
      mmioData: "mmio.data",
      mmioLength: "mmio.len",
      mmioIsWrite: "mmio.is_write",
      eoiVector: "eoi.vector",
      msrError: "msr.error",
      msrReason: "msr.reason",
      msrIndex: "msr.index",
      msrData: "msr.data",
      xenType: "xen.type",
      xenLongMode: "xen.u.hcall.longmode",
      xenCpl: "xen.u.hcall.cpl",
      xenInput: "xen.u.hcall.input",
      xenResult: "xen.u.hcall.result",
      xenParams: "xen.u.hcall.params",
      failEntryReason: "fail_entry.hardware_entry_failure_reason",
      systemEventType: "system_event.type",
      hypervType: "hyperv.type",
      hypervResult: "hyperv.u.hcall.result",
      internalSuberror: "internal.suberror",
      internalNdata: "internal.ndata",
      internalData: "internal.data",
      validRegs: "kvm_valid_regs",
      dirtyRegs: "kvm_dirty_regs",
      regs: "s.regs.regs",
      sregs: "s.regs.sregs",
      events: "s.regs.events",
    },
  ],
};

/** ioctl requests by our name: KVM_ in front of it, or the one given. */
const REQUESTS = {
  ...Object.fromEntries(
    (
      "GET_API_VERSION CREATE_VM CHECK_EXTENSION GET_VCPU_MMAP_SIZE GET_SUPPORTED_CPUID CREATE_VCPU " +
      "SET_USER_MEMORY_REGION SET_TSS_ADDR SET_IDENTITY_MAP_ADDR SET_GSI_ROUTING REGISTER_COALESCED_MMIO IOEVENTFD XEN_HVM_CONFIG SET_CLOCK GET_CLOCK " +
      "RUN GET_REGS SET_REGS GET_SREGS SET_SREGS INTERRUPT GET_MSRS SET_MSRS SET_SIGNAL_MASK GET_LAPIC SET_LAPIC " +
      "SET_CPUID2 GET_MP_STATE SET_MP_STATE GET_VCPU_EVENTS SET_VCPU_EVENTS ENABLE_CAP GET_TSC_KHZ SIGNAL_MSI " +
      "SET_FPU SET_DEBUGREGS SET_XCRS SET_DEVICE_ATTR GET_DEVICE_ATTR " +
      "GET_SUPPORTED_HV_CPUID X86_SET_MSR_FILTER XEN_HVM_SET_ATTR XEN_VCPU_GET_ATTR XEN_VCPU_SET_ATTR XEN_HVM_EVTCHN_SEND"
    )
      .split(" ")
      .map((name) => [name, `KVM_${name}`]),
  ),
};

const CAPABILITIES =
  "USER_MEMORY COALESCED_MMIO COALESCED_PIO XEN_HVM ADJUST_CLOCK VCPU_EVENTS SYNC_REGS SIGNAL_MSI READONLY_MEM SPLIT_IRQCHIP HYPERV_SYNIC2 HYPERV_CPUID SYS_HYPERV_CPUID X2APIC_API IMMEDIATE_EXIT " +
  "X86_USER_SPACE_MSR X86_MSR_FILTER MAX_VCPUS GET_TSC_KHZ TSC_DEADLINE_TIMER";

const EXITS = {
  unknown: "UNKNOWN",
  io: "IO",
  hypercall: "HYPERCALL",
  debug: "DEBUG",
  hlt: "HLT",
  mmio: "MMIO",
  irqWindowOpen: "IRQ_WINDOW_OPEN",
  shutdown: "SHUTDOWN",
  failEntry: "FAIL_ENTRY",
  intr: "INTR",
  setTpr: "SET_TPR",
  nmi: "NMI",
  internalError: "INTERNAL_ERROR",
  systemEvent: "SYSTEM_EVENT",
  ioapicEoi: "IOAPIC_EOI",
  hyperv: "HYPERV",
  rdmsr: "X86_RDMSR",
  wrmsr: "X86_WRMSR",
  xen: "XEN",
};

/** Other numbers, by their C names. */
const CONSTANTS = [
  "KVM_IOEVENTFD_FLAG_DEASSIGN",
  "KVM_EXIT_HYPERV_HCALL",
  "KVM_SYSTEM_EVENT_RESET",
  "KVM_SYSTEM_EVENT_CRASH",
  "KVM_API_VERSION",
  "KVM_CPUID_FLAG_SIGNIFCANT_INDEX",
  "KVM_IRQ_ROUTING_MSI",
  "KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL",
  "KVM_MEM_READONLY",
  "KVM_MSR_FILTER_READ",
  "KVM_MSR_FILTER_WRITE",
  "KVM_MSR_EXIT_REASON_FILTER",
  "KVM_SYNC_X86_REGS",
  "KVM_VCPUEVENT_VALID_NMI_PENDING",
  "KVM_VCPUEVENT_VALID_SHADOW",
  "KVM_VCPU_TSC_CTRL",
  "KVM_VCPU_TSC_OFFSET",
  "KVM_SYNC_X86_SREGS",
  "KVM_SYNC_X86_EVENTS",
  "KVM_XEN_HVM_CONFIG_HYPERCALL_MSR",
  "KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL",
  "KVM_XEN_HVM_CONFIG_SHARED_INFO",
  "KVM_XEN_HVM_CONFIG_RUNSTATE",
  "KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL",
  "KVM_XEN_HVM_CONFIG_EVTCHN_SEND",
  "KVM_XEN_ATTR_TYPE_LONG_MODE",
  "KVM_XEN_ATTR_TYPE_SHARED_INFO",
  "KVM_XEN_ATTR_TYPE_UPCALL_VECTOR",
  "KVM_XEN_ATTR_TYPE_EVTCHN",
  "KVM_XEN_ATTR_TYPE_XEN_VERSION",
  "KVM_XEN_EVTCHN_DEASSIGN",
  "KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO",
  "KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO",
  "KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR",
  "KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID",
  "KVM_XEN_VCPU_ATTR_TYPE_TIMER",
  "KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR",
];

/** Parts that are not whole structs: headers in front of arrays. */
const EXPRESSIONS = {
  cpuid2Header: "offsetof(struct kvm_cpuid2, entries)",
  msrsHeader: "offsetof(struct kvm_msrs, entries)",
  irqRoutingHeader: "offsetof(struct kvm_irq_routing, entries)",
  msrFilterSize: "sizeof(struct kvm_msr_filter)",
  msrFilterRanges: "offsetof(struct kvm_msr_filter, ranges)",
  lapicSize: "sizeof(struct kvm_lapic_state)",
};

function same(names) {
  return Object.fromEntries(names.split(" ").map((name) => [name, name]));
}

/** Every number by a path such as "structs.kvmMsi.offsets.data", with the C expression for it. */
function wanted() {
  const rows = [];
  for (const [name, [type, fields]] of Object.entries(STRUCTS)) {
    rows.push([["structs", name, "size"], `sizeof(${type})`]);
    for (const [ours, theirs] of Object.entries(fields)) {
      rows.push([["structs", name, "offsets", ours], `offsetof(${type}, ${theirs})`]);
    }
  }
  for (const [name, c] of Object.entries(REQUESTS)) rows.push([["requests", name], c]);
  for (const name of CAPABILITIES.split(" ")) rows.push([["capabilities", name], `KVM_CAP_${name}`]);
  for (const [name, c] of Object.entries(EXITS)) rows.push([["exits", name], `KVM_EXIT_${c}`]);
  for (const name of CONSTANTS) rows.push([["constants", name], name]);
  for (const [name, c] of Object.entries(EXPRESSIONS)) rows.push([["constants", name], c]);
  return rows;
}

const rows = wanted();
const source = [
  "#include <stddef.h>",
  "#include <linux/kvm.h>",
  ...rows.map(([, expression], i) => `const unsigned number_${i} = (unsigned)(${expression});`),
].join("\n");
const assembly = execFileSync("gcc", ["-m64", "-S", "-x", "c", "-o", "-", "-"], { input: source, encoding: "utf8" });
const numbers = new Map();
for (const [, index, kind, value] of assembly.matchAll(/^number_(\d+):\n\s+\.(long|zero)\s+(-?\d+)$/gm)) {
  numbers.set(Number(index), kind === "zero" ? 0 : Number(value) >>> 0);
}

const result = { headers: "linux-libc-dev 6.1" };
rows.forEach(([path], i) => {
  const last = path.at(-1);
  const parent = path.slice(0, -1).reduce((node, key) => (node[key] ??= {}), result);
  const number = numbers.get(i);
  if (number === undefined) throw new Error(`The compiler gave no number for ${path.join(".")}`);
  parent[last] = number;
});
writeFileSync(new URL("kvm-offsets.json", import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
