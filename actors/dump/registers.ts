/** A vCPU's registers as plain data, for a memory dump. */
import { kvmSegment, kvmSregs } from "../host/kvm-abi.js";
import type { Vcpu } from "../host/vcpu.js";

/** <asm/msr-index.h> */
const MSR_KERNEL_GS_BASE = 0xc000_0102;

export const GENERAL_REGISTERS = [
  ...["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags"],
] as readonly GeneralRegister[];
export type GeneralRegister =
  | `r${"a" | "b" | "c" | "d"}x`
  | "rsi"
  | "rdi"
  | "rsp"
  | "rbp"
  | `r${8 | 9 | 10 | 11 | 12 | 13 | 14 | 15}`
  | "rip"
  | "rflags";

export const SEGMENT_REGISTERS = ["cs", "ds", "es", "fs", "gs", "ss", "ldt", "tr"] as const;
export type SegmentName = (typeof SEGMENT_REGISTERS)[number];

export interface SegmentRegister {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  /** As in the second word of a descriptor, [SDM] volume 3, 3.4.5: type, S, DPL, P, AVL, L, D/B, G. */
  readonly flags: number;
}

export interface DescriptorTable {
  readonly base: bigint;
  readonly limit: number;
}

export interface VcpuRegisters {
  readonly general: Readonly<Record<GeneralRegister, bigint>>;
  readonly segments: Readonly<Record<SegmentName, SegmentRegister>>;
  readonly gdt: DescriptorTable;
  readonly idt: DescriptorTable;
  readonly cr0: bigint;
  readonly cr2: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly kernelGsBase: bigint;
}

/** On the vCPU's own thread. */
export function readRegisters(vcpu: Vcpu): VcpuRegisters {
  const regs = vcpu.fetchRegs();
  const general = Object.fromEntries(GENERAL_REGISTERS.map((name) => [name, regs[name]]));
  const sregs = vcpu.fetchSregs();
  const { buffer, byteOffset } = sregs.cs;
  // Addresses of a kernel need all 64 bits, which the view's own fields do not give.
  const view = new DataView(buffer, byteOffset - kvmSregs.offsets.cs, kvmSregs.size);
  const wide = (field: keyof typeof kvmSregs.offsets): bigint => view.getBigUint64(kvmSregs.offsets[field], true);
  const registers = {
    general: general as Record<GeneralRegister, bigint>,
    segments: Object.fromEntries(
      SEGMENT_REGISTERS.map((name) => [name, segmentAt(view, kvmSregs.offsets[name])]),
    ) as Record<SegmentName, SegmentRegister>,
    gdt: { base: wide("gdtBase"), limit: sregs.gdtLimit },
    idt: { base: wide("idtBase"), limit: sregs.idtLimit },
    cr0: wide("cr0"),
    cr2: wide("cr2"),
    cr3: wide("cr3"),
    cr4: wide("cr4"),
  };
  // Last: it uses the same memory for its answer.
  return { ...registers, kernelGsBase: vcpu.getMsr(MSR_KERNEL_GS_BASE) ?? 0n };
}

function segmentAt(view: DataView, offset: number): SegmentRegister {
  const segment = kvmSegment.view(view.buffer).at(view.byteOffset + offset);
  const low = segment.type | (segment.s << 4) | (segment.dpl << 5) | (segment.present << 7);
  const high = segment.avl | (segment.l << 1) | (segment.db << 2) | (segment.g << 3);
  return {
    selector: segment.selector,
    base: view.getBigUint64(offset + kvmSegment.offsets.base, true),
    limit: segment.limit,
    flags: (low << 8) | (high << 20),
  };
}
