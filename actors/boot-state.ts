/** Puts a vCPU into its first state: what a boot loader asks for, or what the processor has after power-on. */
import type { BootRegisters, BootSegment } from "../devices/boot/registers.js";
import { kvmSegment } from "./host/kvm-abi.js";
import { MpState } from "./host/vcpu.js";
import type { Vcpu } from "./host/vcpu.js";

/** Reset state of a processor, Intel SDM volume 3, table 10-1. */
const RESET_CR0 = 0x6000_0010;
const CR0_TS = 8;
const MSR_IA32_APICBASE = 0x1b;
/** MTRRs on, everything write-back: as firmware leaves them, else Linux goes without PAT. Intel SDM 12.11.2.1. */
const MSR_IA32_MTRR_DEF_TYPE = 0x2ff;
const MTRR_ENABLED_WRITE_BACK = 0xc06n;
/** After power-on. Intel SDM 12.11.2.1. */
const MTRR_OFF = 0n;

/**
 * What a guest of before a reset may have left in MSRs, and their power-on values: memory that KVM would go on writing to
 * (asm/kvm_para.h), a deadline, and what the next guest does not expect (Intel SDM volume 4, table 2-2). KVM leaves out
 * what it does not know.
 */
const MSR_RESET: readonly (readonly [index: number, value: bigint])[] = [
  [0x11, 0n], // KVM wall clock
  [0x12, 0n], // KVM system time
  [0x4b56_4d00, 0n], // KVM wall clock, new
  [0x4b56_4d01, 0n], // KVM system time, new
  [0x4b56_4d02, 0n], // KVM asynchronous page faults
  [0x4b56_4d03, 0n], // KVM steal time
  [0x4b56_4d04, 0n], // KVM paravirtual EOI
  [0x6e0, 0n], // IA32_TSC_DEADLINE
  [0x48, 0n], // IA32_SPEC_CTRL
  [0x174, 0n], // IA32_SYSENTER_CS
  [0x175, 0n], // IA32_SYSENTER_ESP
  [0x176, 0n], // IA32_SYSENTER_EIP
  [0x1d9, 0n], // IA32_DEBUGCTL
  [0x277, 0x0007_0406_0007_0406n], // IA32_PAT
  [0xc000_0081, 0n], // IA32_STAR
  [0xc000_0082, 0n], // IA32_LSTAR
  [0xc000_0083, 0n], // IA32_CSTAR
  [0xc000_0084, 0n], // IA32_FMASK
  [0xc000_0102, 0n], // IA32_KERNEL_GS_BASE
  [0xc000_0103, 0n], // IA32_TSC_AUX
];

/** Hyper-V's MSRs that make KVM write into the guest's memory, or interrupt it: all off. [TLFS] appendix "MSRs" */
const HYPERV_MSR_RESET: readonly number[] = [
  0x4000_0001, // HYPERCALL
  0x4000_0000, // GUEST_OS_ID
  0x4000_0021, // REFERENCE_TSC
  0x4000_0073, // VP_ASSIST_PAGE
  0x4000_0106, // REENLIGHTENMENT_CONTROL
  0x4000_00b0, // STIMER0_CONFIG
  0x4000_00b2, // STIMER1_CONFIG
  0x4000_00b4, // STIMER2_CONFIG
  0x4000_00b6, // STIMER3_CONFIG
  0x4000_0080, // SCONTROL
  0x4000_0082, // SIEFP
  0x4000_0083, // SIMP
];
/** SINT0 to SINT15, masked. */
const HYPERV_SINT0 = 0x4000_0090;
const HYPERV_SINTS = 16;
const HYPERV_SINT_MASKED = 0x1_0000n;

/** Registers of the local APIC that are not zero after power-on, as offsets into its page. Intel SDM 11.4.7.1. */
const Lapic = {
  id: 0x20,
  version: 0x30,
  dfr: 0xe0,
  svr: 0xf0,
  cmci: 0x2f0,
  lvtFirst: 0x320,
  lvtLast: 0x370,
  lint0: 0x350,
};
const LVT_MASKED = 0x1_0000;
/** Delivery mode ExtINT: the boot processor takes the 8259 pair's interrupts before anybody sets its APIC up. */
const LVT_EXTINT = 0x700;
/** As after power-on, and enabled. */
const SVR_ENABLED = 0x1ff;

export interface BootProcessor {
  readonly isBoot: boolean;
  readonly apicId: number;
  /** CPUID leaf 1's eax, which a processor has in edx after power-on. */
  readonly signature: number;
  /** A kernel follows without firmware, which would have set up MTRRs and the local APIC. */
  readonly direct: boolean;
  /** The guest is shown Hyper-V's interface. */
  readonly hyperv: boolean;
  /** It has run before. */
  readonly used: boolean;
}

/** A boot processor with `registers` or (undefined) at the reset vector; any other waits for INIT and SIPI. */
export function applyBootState(vcpu: Vcpu, registers: BootRegisters | undefined, processor: BootProcessor): void {
  const { isBoot, direct } = processor;
  applySregs(vcpu, registers, processor);
  if (processor.used) clearTraces(vcpu, processor);
  const regs = vcpu.fetchRegs();
  for (const name of GENERAL) regs[name] = 0n;
  regs.rflags = BigInt(registers?.rflags ?? 2);
  regs.rip = BigInt(registers?.rip ?? 0xfff0);
  regs.rsp = BigInt(registers?.rsp ?? 0);
  regs.rax = BigInt(registers?.rax ?? 0);
  regs.rbx = BigInt(registers?.rbx ?? 0);
  regs.rdx = BigInt(registers === undefined ? processor.signature : 0);
  regs.rsi = BigInt(registers?.rsi ?? 0);
  vcpu.storeRegs();
  if (isBoot && direct) enableLapic(vcpu);
  vcpu.setMsr(MSR_IA32_MTRR_DEF_TYPE, direct ? MTRR_ENABLED_WRITE_BACK : MTRR_OFF);
  vcpu.setMpState(isBoot ? MpState.runnable : MpState.uninitialized);
}

/**
 * The local APIC as firmware leaves it: on, with the 8259 pair's interrupts let through. While it is off KVM drops what it is
 * sent, where Xen keeps an upcall until it is on; Linux starts Xen's timer before its own APIC, and an upcall that is lost
 * is the last one, as evtchn_upcall_pending stays set.
 */
function enableLapic(vcpu: Vcpu): void {
  const page = vcpu.getLapic();
  const view = new DataView(page.buffer);
  view.setUint32(Lapic.svr, SVR_ENABLED, true);
  view.setUint32(Lapic.lint0, LVT_EXTINT, true);
  vcpu.setLapic(page);
}

/** What KVM gives a new vCPU by itself. */
function clearTraces(vcpu: Vcpu, processor: BootProcessor): void {
  resetLapic(vcpu, processor);
  vcpu.clearEvents();
  vcpu.resetRareRegisters();
  for (const [index, value] of MSR_RESET) vcpu.setMsr(index, value);
  vcpu.renewTscOffset();
  if (processor.hyperv) resetHyperv(vcpu);
}

function resetHyperv(vcpu: Vcpu): void {
  for (const index of HYPERV_MSR_RESET) vcpu.setMsr(index, 0n);
  for (let i = 0; i < HYPERV_SINTS; i++) vcpu.setMsr(HYPERV_SINT0 + i, HYPERV_SINT_MASKED);
}

/** After the APIC base, which decides how the page is laid out. */
function resetLapic(vcpu: Vcpu, { apicId, isBoot }: BootProcessor): void {
  const page = vcpu.getLapic();
  const view = new DataView(page.buffer);
  const version = view.getUint32(Lapic.version, true);
  page.fill(0);
  view.setUint32(Lapic.id, apicId << 24, true);
  view.setUint32(Lapic.version, version, true);
  view.setUint32(Lapic.dfr, 0xffff_ffff, true);
  view.setUint32(Lapic.svr, 0xff, true);
  view.setUint32(Lapic.cmci, LVT_MASKED, true);
  for (let offset = Lapic.lvtFirst; offset <= Lapic.lvtLast; offset += 0x10) view.setUint32(offset, LVT_MASKED, true);
  if (isBoot) view.setUint32(Lapic.lint0, LVT_EXTINT, true);
  vcpu.setLapic(page);
}

const GENERAL = [
  "rax",
  "rbx",
  "rcx",
  "rdx",
  "rsi",
  "rdi",
  "rsp",
  "rbp",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;

function applySregs(vcpu: Vcpu, registers: BootRegisters | undefined, { isBoot, used }: BootProcessor): void {
  const sregs = vcpu.fetchSregs();
  const put = (field: Uint8Array, segment: BootSegment): void => {
    Object.assign(kvmSegment.view(field.buffer as SharedArrayBuffer).at(field.byteOffset), segment);
  };
  const data = registers?.data ?? REAL_DATA;
  put(sregs.cs, registers?.cs ?? REAL_CODE);
  for (const field of [sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss]) put(field, data);
  put(sregs.tr, registers?.tr ?? REAL_TR);
  put(sregs.ldt, registers?.ldt ?? REAL_LDT);
  sregs.gdtBase = registers?.gdt.base ?? 0;
  sregs.gdtLimit = registers?.gdt.limit ?? 0xffff;
  sregs.idtBase = registers?.idt.base ?? 0;
  sregs.idtLimit = registers?.idt.limit ?? 0xffff;
  sregs.cr0 = registers?.cr0 ?? RESET_CR0;
  sregs.cr2 = 0n;
  sregs.cr3 = registers?.cr3 ?? 0;
  sregs.cr4 = registers?.cr4 ?? 0;
  sregs.cr8 = 0;
  sregs.efer = registers?.efer ?? 0;
  sregs.apicBase = 0xfee0_0800 + (isBoot ? 0x100 : 0);
  sregs.interruptBitmap.fill(0);
  if (used) {
    // A change of CR0 has KVM load its page tables anew. On AMD it loses them at a triple fault without paging, and would
    // run the guest on none, for ever.
    sregs.cr0 += CR0_TS;
    vcpu.storeSregs();
    sregs.cr0 -= CR0_TS;
  }
  vcpu.storeSregs();
  vcpu.setMsr(MSR_IA32_APICBASE, BigInt(0xfee0_0800 + (isBoot ? 0x100 : 0)));
}

function realSegment(type: number, s: number, base: number, selector: number): BootSegment {
  return { base, limit: 0xffff, selector, type, present: 1, dpl: 0, db: 0, s, l: 0, g: 0, avl: 0, unusable: 0 };
}
const REAL_CODE = realSegment(0xb, 1, 0xffff_0000, 0xf000);
const REAL_DATA = realSegment(0x3, 1, 0, 0);
const REAL_TR = realSegment(0xb, 0, 0, 0);
const REAL_LDT = realSegment(0x2, 0, 0, 0);
