/** The arguments of a hypercall, taken from where each transport leaves them. One frame a vCPU, filled in at each call. */
import type { VcpuId } from "../shared/brand.js";
import { ARGUMENTS } from "../xen/hypercalls/call.js";
import type { HypercallFrame } from "../xen/hypercalls/call.js";
import { KvmRun, SyncRegs } from "./host/exit.js";
import type { Vcpu } from "./host/vcpu.js";

const TWO_32 = 0x1_0000_0000;
/** Length of the instructions by which a guest calls: `vmcall` or `vmmcall`, and `out` to a port of 8 bits. */
const VMCALL_BYTES = 3n;
const OUT_BYTES = 2n;

type GeneralRegisters = ReturnType<Vcpu["fetchRegs"]>;

function storeResult(view: DataView, at: number, result: number): void {
  view.setUint32(at, result % TWO_32, true);
  view.setUint32(at + 4, Math.floor(result / TWO_32), true);
}

/** Registers of the arguments, xen/include/public/arch-x86/xen-x86_64.h and xen-x86_32.h. */
const ARGUMENTS_64 = ["rdi", "rsi", "rdx", "r10", "r8", "r9"] as const;
const ARGUMENTS_32 = ["rbx", "rcx", "rdx", "rsi", "rdi", "rbp"] as const;

/** Arguments with which a guest makes a call again. */
class NewArguments {
  readonly #values = new BigUint64Array(ARGUMENTS);
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  set(index: number, high: number, low: number): void {
    this.#values[index] = (BigInt(high) << 32n) | BigInt(low);
    this.#count = Math.max(this.#count, index + 1);
  }

  /** Takes the vCPU, which rests behind the instruction of `length` bytes, back to it. */
  rewind(registers: GeneralRegisters, frame: HypercallFrame, length: bigint): void {
    const names = frame.longMode ? ARGUMENTS_64 : ARGUMENTS_32;
    for (let i = 0; i < this.#count; i++) registers[names[i] ?? "rax"] = this.#values[i] ?? 0n;
    registers.rax = BigInt(frame.number);
    registers.rip -= length;
  }
}

/** KVM's own Xen support: arguments and result are in the exit. */
export class KernelFrame implements HypercallFrame {
  readonly vcpu: VcpuId;
  longMode = false;
  cpl = 0;
  number = 0;
  result = 0;
  again = false;
  readonly #view: DataView;
  readonly #new = new NewArguments();

  constructor(vcpu: VcpuId, run: KvmRun) {
    this.vcpu = vcpu;
    this.#view = run.view;
  }

  fetch(longMode: boolean, cpl: number): void {
    this.longMode = longMode;
    this.cpl = cpl;
    this.number = this.#view.getUint32(KvmRun.XEN_INPUT, true);
    this.result = 0;
    this.again = false;
    this.#new.clear();
  }

  lo(index: number): number {
    return this.#view.getUint32(KvmRun.XEN_PARAMS + index * 8, true);
  }

  hi(index: number): number {
    return this.#view.getUint32(KvmRun.XEN_PARAMS + index * 8 + 4, true);
  }

  set(index: number, high: number, low: number): void {
    this.#new.set(index, high, low);
  }

  finish(): void {
    storeResult(this.#view, KvmRun.XEN_RESULT, this.result);
  }

  /** After KVM has finished the instruction: the guest is to execute it again. */
  rewind(registers: GeneralRegisters): void {
    this.#new.rewind(registers, this, VMCALL_BYTES);
  }
}

/** struct kvm_regs: index of each register, in 64-bit words. */
const REG = { rax: 0, rbx: 1, rcx: 2, rdx: 3, rsi: 4, rdi: 5, rbp: 7, r8: 8, r9: 9, r10: 10 } as const;
const PLACES_64: readonly number[] = ARGUMENTS_64.map((name) => REG[name]);
const PLACES_32: readonly number[] = ARGUMENTS_32.map((name) => REG[name]);

/** The hypercall page's stubs exit by an `out`: arguments and result are in the registers. */
export class RegisterFrame implements HypercallFrame {
  readonly vcpu: VcpuId;
  longMode = false;
  cpl = 0;
  number = 0;
  result = 0;
  again = false;
  readonly #run: KvmRun;
  readonly #new = new NewArguments();
  #arguments = PLACES_64;

  constructor(vcpu: VcpuId, run: KvmRun) {
    this.vcpu = vcpu;
    this.#run = run;
  }

  fetch(longMode: boolean, cpl: number): void {
    this.longMode = longMode;
    this.cpl = cpl;
    this.number = this.#run.view.getUint32(KvmRun.REGS + REG.rax * 8, true);
    this.result = 0;
    this.again = false;
    this.#new.clear();
    this.#arguments = longMode ? PLACES_64 : PLACES_32;
  }

  lo(index: number): number {
    return this.#run.view.getUint32(KvmRun.REGS + (this.#arguments[index] ?? 0) * 8, true);
  }

  hi(index: number): number {
    if (!this.longMode) return 0;
    return this.#run.view.getUint32(KvmRun.REGS + (this.#arguments[index] ?? 0) * 8 + 4, true);
  }

  set(index: number, high: number, low: number): void {
    this.#new.set(index, high, low);
  }

  finish(): void {
    const at = KvmRun.REGS + REG.rax * 8;
    if (this.longMode) storeResult(this.#run.view, at, this.result);
    else storeResult(this.#run.view, at, this.result >>> 0);
    this.#run.dirty = SyncRegs.regs;
  }

  /** As {@link KernelFrame.rewind}. */
  rewind(registers: GeneralRegisters): void {
    this.#new.rewind(registers, this, OUT_BYTES);
  }
}
