/** Registers that VCPUOP_initialise gives a vCPU. [HVMVCPU] xen.git xen/include/public/hvm/hvm_vcpu.h */
import { bytes, struct, u16, u32, u64, u64n } from "../../shared/struct.js";
import { dualStruct } from "./dual-struct.js";

/** `VCPU_HVM_MODE_*`: which of the two sets of registers counts. */
export const VcpuHvmMode = { bits32: 0, bits64: 1 } as const;

/** struct vcpu_hvm_context: 32-bit callers have the same layout. */
export const vcpuHvmContext = dualStruct("vcpu_hvm_context", [128, 128], () => ({
  mode: u32,
  pad: u32,
  registers: bytes(120, 8),
}));

/** Attributes of a segment, `*_ar`: bits 3:0 type, 4 s, 6:5 dpl, 7 p, 8 avl, 9 l, 10 db, 11 g, 15:12 zero. */
export const vcpuHvmX86_32 = struct("vcpu_hvm_x86_32", 120, () => ({
  eax: u32,
  ecx: u32,
  edx: u32,
  ebx: u32,
  esp: u32,
  ebp: u32,
  esi: u32,
  edi: u32,
  eip: u32,
  eflags: u32,
  cr0: u32,
  cr3: u32,
  cr4: u32,
  pad1: u32,
  efer: u64n,
  csBase: u32,
  dsBase: u32,
  ssBase: u32,
  esBase: u32,
  trBase: u32,
  csLimit: u32,
  dsLimit: u32,
  ssLimit: u32,
  esLimit: u32,
  trLimit: u32,
  csAr: u16,
  dsAr: u16,
  ssAr: u16,
  esAr: u16,
  trAr: u16,
  pad2: bytes(6, 2),
}));

export const vcpuHvmX86_64 = struct("vcpu_hvm_x86_64", 112, () => ({
  rax: u64,
  rcx: u64,
  rdx: u64,
  rbx: u64,
  rsp: u64,
  rbp: u64,
  rsi: u64,
  rdi: u64,
  rip: u64,
  rflags: u64,
  cr0: u64n,
  cr3: u64n,
  cr4: u64n,
  efer: u64n,
}));
