/** The arguments of a hypercall, taken from where each transport leaves them. One frame a vCPU, filled in at each call. */
import type { VcpuId } from "../shared/brand.js";
import type { HypercallFrame } from "../xen/hypercalls/call.js";
import { KvmRun, SyncRegs } from "./host/exit.js";

const TWO_32 = 0x1_0000_0000;

function storeResult(view: DataView, at: number, result: number): void {
  view.setUint32(at, result % TWO_32, true);
  view.setUint32(at + 4, Math.floor(result / TWO_32), true);
}

/** KVM's own Xen support: arguments and result are in the exit. */
export class KernelFrame implements HypercallFrame {
  readonly vcpu: VcpuId;
  longMode = false;
  cpl = 0;
  number = 0;
  result = 0;
  readonly #view: DataView;

  constructor(vcpu: VcpuId, run: KvmRun) {
    this.vcpu = vcpu;
    this.#view = run.view;
  }

  fetch(longMode: boolean, cpl: number): void {
    this.longMode = longMode;
    this.cpl = cpl;
    this.number = this.#view.getUint32(KvmRun.XEN_INPUT, true);
    this.result = 0;
  }

  lo(index: number): number {
    return this.#view.getUint32(KvmRun.XEN_PARAMS + index * 8, true);
  }

  hi(index: number): number {
    return this.#view.getUint32(KvmRun.XEN_PARAMS + index * 8 + 4, true);
  }

  finish(): void {
    storeResult(this.#view, KvmRun.XEN_RESULT, this.result);
  }
}

/** struct kvm_regs: index of each register, in 64-bit words. */
const REG = { rax: 0, rbx: 1, rcx: 2, rdx: 3, rsi: 4, rdi: 5, rbp: 7, r8: 8, r9: 9, r10: 10 } as const;
/** Registers of the arguments, xen/include/public/arch-x86/xen-x86_64.h and xen-x86_32.h. */
const ARGUMENTS_64: readonly number[] = [REG.rdi, REG.rsi, REG.rdx, REG.r10, REG.r8, REG.r9];
const ARGUMENTS_32: readonly number[] = [REG.rbx, REG.rcx, REG.rdx, REG.rsi, REG.rdi, REG.rbp];

/** The hypercall page's stubs exit by an `out`: arguments and result are in the registers. */
export class RegisterFrame implements HypercallFrame {
  readonly vcpu: VcpuId;
  longMode = false;
  cpl = 0;
  number = 0;
  result = 0;
  readonly #run: KvmRun;
  #arguments = ARGUMENTS_64;

  constructor(vcpu: VcpuId, run: KvmRun) {
    this.vcpu = vcpu;
    this.#run = run;
  }

  fetch(longMode: boolean, cpl: number): void {
    this.longMode = longMode;
    this.cpl = cpl;
    this.number = this.#run.view.getUint32(KvmRun.REGS + REG.rax * 8, true);
    this.result = 0;
    this.#arguments = longMode ? ARGUMENTS_64 : ARGUMENTS_32;
  }

  lo(index: number): number {
    return this.#run.view.getUint32(KvmRun.REGS + (this.#arguments[index] ?? 0) * 8, true);
  }

  hi(index: number): number {
    if (!this.longMode) return 0;
    return this.#run.view.getUint32(KvmRun.REGS + (this.#arguments[index] ?? 0) * 8 + 4, true);
  }

  finish(): void {
    const at = KvmRun.REGS + REG.rax * 8;
    if (this.longMode) storeResult(this.#run.view, at, this.result);
    else storeResult(this.#run.view, at, this.result >>> 0);
    this.#run.dirty = SyncRegs.regs;
  }
}
