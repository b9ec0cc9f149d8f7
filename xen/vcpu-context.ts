/**
 * The registers that VCPUOP_initialise gives a vCPU, checked as Xen checks them: what is wrong there answers -EINVAL.
 *
 * [HVMVCPU] xen.git xen/include/public/hvm/hvm_vcpu.h; [SDM] volume 3, 3.4.5 (segments), 2.5 (control registers)
 *
 * Xen looks for CR4 and EFER bits that the vCPU has not; we know the bits that processors have, and leave to KVM which of
 * them this one has. A vCPU whose registers KVM does not take ends the guest, as one that Xen cannot enter does.
 */
import { VcpuHvmMode, vcpuHvmX86_32, vcpuHvmX86_64 } from "./abi/hvm-vcpu.js";

/** A segment register with its hidden part. */
export interface ContextSegment {
  readonly base: number;
  readonly limit: number;
  readonly type: number;
  /** Code or data, not a system segment. */
  readonly s: number;
  readonly dpl: number;
  readonly present: number;
  readonly avl: number;
  readonly l: number;
  readonly db: number;
  readonly g: number;
  /** A null selector. */
  readonly unusable: number;
}

export interface ContextRegisters {
  readonly rax: bigint;
  readonly rcx: bigint;
  readonly rdx: bigint;
  readonly rbx: bigint;
  readonly rsp: bigint;
  readonly rbp: bigint;
  readonly rsi: bigint;
  readonly rdi: bigint;
  readonly rip: bigint;
  readonly rflags: bigint;
}

export interface VcpuContext {
  readonly registers: ContextRegisters;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly cs: ContextSegment;
  readonly ds: ContextSegment;
  readonly ss: ContextSegment;
  readonly es: ContextSegment;
  readonly tr: ContextSegment;
}

/** A struct vcpu_hvm_context, its registers not looked into. */
export interface StoredContext {
  readonly mode: number;
  readonly pad: number;
  readonly registers: Uint8Array;
}

/** Size of the registers, in bytes. */
export const REGISTER_BYTES = vcpuHvmX86_32.size;

const CR0_PG = 0x8000_0000;
const CR4_PAE = 0x20;
/** VME to OSXMMEXCPT, UMIP, LA57; FSGSBASE, PCIDE, OSXSAVE; SMEP, SMAP, PKE, CET. [SDM] 2.5 */
const CR4_KNOWN = 0x00f7_1fff;
const EFER_LME = 0x100;
const EFER_LMA = 0x400;
/** SCE, LME, LMA, NXE. */
const EFER_KNOWN = 0xd01;
/** All flags that there are; bit 1 is always set. [SDM] volume 1, 3.4.3 */
const FLAGS_KNOWN = 0x3f_7fd5n;
const FLAGS_FIXED = 0x2n;

const TYPE_CODE = 8;
/** Data that can be written, code that can be read. */
const TYPE_ACCESS = 2;
const TYPE_ACCESSED = 1;
/** A task state segment's type gets busy by it. */
const TYPE_BUSY = 2;
const TYPE_TSS_BUSY = 0xb;
const AR_KNOWN = 0xfff;

/** What a vCPU that starts in 64-bit mode finds in its segment registers. */
const CODE_64 = segment(0xa9b, 0xffff_ffff, 0);
const DATA_64 = segment(0xc93, 0xffff_ffff, 0);
const TSS_64 = segment(0x8b, 0x67, 0);

/** The registers in a struct vcpu_hvm_context; undefined when Xen would refuse them. */
export function decodeContext({ mode, pad, registers }: StoredContext): VcpuContext | undefined {
  if (pad !== 0) return undefined;
  const context = decodeMode(mode, registers.slice().buffer);
  if (context === undefined || hasOtherBits(context.cr4, CR4_KNOWN) || hasOtherBits(context.efer, EFER_KNOWN)) {
    return undefined;
  }
  return context;
}

function decodeMode(mode: number, registers: ArrayBufferLike): VcpuContext | undefined {
  switch (mode) {
    case VcpuHvmMode.bits32:
      return decode32(vcpuHvmX86_32.view(registers));
    case VcpuHvmMode.bits64:
      return decode64(vcpuHvmX86_64.view(registers));
    default:
      return undefined;
  }
}

type View32 = ReturnType<typeof vcpuHvmX86_32.view>;
type View64 = ReturnType<typeof vcpuHvmX86_64.view>;

function decode32(view: View32): VcpuContext | undefined {
  if (view.pad1 !== 0 || view.pad2.some((byte) => byte !== 0)) return undefined;
  const cs = segment(view.csAr, view.csLimit, view.csBase, TYPE_ACCESSED);
  const ds = segment(view.dsAr, view.dsLimit, view.dsBase, TYPE_ACCESSED);
  const ss = segment(view.ssAr, view.ssLimit, view.ssBase, TYPE_ACCESSED);
  const es = segment(view.esAr, view.esLimit, view.esBase, TYPE_ACCESSED);
  const tr = segment(view.trAr, view.trLimit, view.trBase, TYPE_BUSY);
  if ([view.csAr, view.dsAr, view.ssAr, view.esAr, view.trAr].some((ar) => ar > AR_KNOWN)) return undefined;
  if (!isCode(cs) || !isStack(ss) || !isData(ds) || !isData(es) || !isTask(tr)) return undefined;
  const end = cs.g === 1 ? cs.limit * 0x1000 + 0xfff : cs.limit;
  if (view.eip > end || ss.dpl !== cs.dpl) return undefined;
  if (isAboveLevel(ds, cs.dpl) || isAboveLevel(es, cs.dpl)) return undefined;
  if (isLmaAlone(view.efer)) return undefined;
  return {
    registers: {
      rax: BigInt(view.eax),
      rcx: BigInt(view.ecx),
      rdx: BigInt(view.edx),
      rbx: BigInt(view.ebx),
      rsp: BigInt(view.esp),
      rbp: BigInt(view.ebp),
      rsi: BigInt(view.esi),
      rdi: BigInt(view.edi),
      rip: BigInt(view.eip),
      rflags: flags(BigInt(view.eflags)),
    },
    cr0: view.cr0,
    cr3: view.cr3,
    cr4: view.cr4,
    efer: activeEfer(view.efer, view.cr0),
    ...{ cs, ds, ss, es, tr },
  };
}

function decode64(view: View64): VcpuContext | undefined {
  const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags, cr0, cr3, cr4, efer } = view;
  if (!isCanonical(rip) || !hasBits(cr0, CR0_PG) || !hasBits(cr4, CR4_PAE) || !hasBits(efer, EFER_LME)) {
    return undefined;
  }
  return {
    registers: { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags: flags(rflags) },
    ...{ cr0, cr3, cr4, efer: activeEfer(efer, cr0) },
    ...{ cs: CODE_64, ds: DATA_64, ss: DATA_64, es: DATA_64, tr: TSS_64 },
  };
}

/** A segment register from its attributes; `mark` is set in the type of one that is present. */
function segment(ar: number, limit: number, base: number, mark = 0): ContextSegment {
  const present = (ar >>> 7) & 1;
  return {
    base,
    limit,
    type: (ar & 0xf) | (present === 1 ? mark : 0),
    s: (ar >>> 4) & 1,
    dpl: (ar >>> 5) & 3,
    present,
    avl: (ar >>> 8) & 1,
    l: (ar >>> 9) & 1,
    db: (ar >>> 10) & 1,
    g: (ar >>> 11) & 1,
    unusable: (ar & AR_KNOWN) === 0 ? 1 : 0,
  };
}

function isCode({ s, present, type }: ContextSegment): boolean {
  return s === 1 && present === 1 && (type & TYPE_CODE) !== 0;
}

function isStack({ s, present, type }: ContextSegment): boolean {
  return s === 1 && present === 1 && (type & (TYPE_CODE | TYPE_ACCESS)) === TYPE_ACCESS;
}

function isData({ s, present, type, unusable }: ContextSegment): boolean {
  if (unusable === 1) return true;
  return s === 1 && present === 1 && (type & (TYPE_CODE | TYPE_ACCESS)) !== TYPE_CODE;
}

function isTask({ s, present, type }: ContextSegment): boolean {
  return s === 0 && present === 1 && type === TYPE_TSS_BUSY;
}

function isAboveLevel({ present, dpl }: ContextSegment, level: number): boolean {
  return present === 1 && dpl > level;
}

function isLmaAlone(efer: number): boolean {
  return hasBits(efer, EFER_LMA) && !hasBits(efer, EFER_LME);
}

/** Long mode is active as soon as it is enabled with paging. */
function activeEfer(efer: number, cr0: number): number {
  const inactive = hasBits(efer, EFER_LMA) ? efer - EFER_LMA : efer;
  return hasBits(efer, EFER_LME) && hasBits(cr0, CR0_PG) ? inactive + EFER_LMA : inactive;
}

function isCanonical(address: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;
}

function flags(value: bigint): bigint {
  return (value & FLAGS_KNOWN) | FLAGS_FIXED;
}

/** Whether `value`, of 64 bits, has the low bits `bits` set. */
function hasBits(value: number, bits: number): boolean {
  return ((value % 0x1_0000_0000) & bits) !== 0;
}

/** Whether `value`, of 64 bits, has others than the low bits `known`. */
function hasOtherBits(value: number, known: number): boolean {
  return value > 0xffff_ffff || (value & ~known) !== 0;
}
