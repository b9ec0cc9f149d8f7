/** Puts a vCPU into its first state: what a boot loader asks for, or what the processor has after power-on. */
import type { BootRegisters, BootSegment } from "../devices/boot/registers.js";
import { kvmSegment } from "./host/kvm-abi.js";
import { MpState } from "./host/vcpu.js";
import type { Vcpu } from "./host/vcpu.js";

/** Reset state of a processor, Intel SDM volume 3, table 10-1. */
const RESET_CR0 = 0x6000_0010;
const MSR_IA32_APICBASE = 0x1b;
/** MTRRs on, everything write-back: as firmware leaves them, else Linux goes without PAT. Intel SDM 12.11.2.1. */
const MSR_IA32_MTRR_DEF_TYPE = 0x2ff;
const MTRR_ENABLED_WRITE_BACK = 0xc06n;

/** A boot processor with `registers`, or (undefined) one that waits for INIT and SIPI. */
export function applyBootState(vcpu: Vcpu, registers: BootRegisters | undefined, isBoot: boolean): void {
  applySregs(vcpu, registers, isBoot);
  const regs = vcpu.fetchRegs();
  for (const name of GENERAL) regs[name] = 0n;
  regs.rflags = BigInt(registers?.rflags ?? 2);
  regs.rip = BigInt(registers?.rip ?? 0xfff0);
  regs.rsp = BigInt(registers?.rsp ?? 0);
  regs.rax = BigInt(registers?.rax ?? 0);
  regs.rbx = BigInt(registers?.rbx ?? 0);
  regs.rsi = BigInt(registers?.rsi ?? 0);
  vcpu.storeRegs();
  vcpu.setMsr(MSR_IA32_MTRR_DEF_TYPE, MTRR_ENABLED_WRITE_BACK);
  vcpu.setMpState(isBoot ? MpState.runnable : MpState.uninitialized);
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

function applySregs(vcpu: Vcpu, registers: BootRegisters | undefined, isBoot: boolean): void {
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
