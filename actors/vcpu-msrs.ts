/**
 * The MSRs of one vCPU whose accesses come to us (hypercall-msr.ts): the one that places the hypercall page, and those by whose
 * writes a kernel shows itself that is to have its hypercalls rewritten. On the vCPU's own thread.
 */
import { hex64 } from "../shared/trace.js";
import type { VcpuId } from "../shared/brand.js";
import type { VirtualMemory } from "../shared/virtual-memory.js";
import { writeHypercallPage } from "../xen/hypercall-page.js";
import type { StubCall } from "../xen/hypercall-page.js";
import { KvmRun } from "./host/exit.js";
import type { MsrExit } from "./host/exit.js";
import { kvmSegment } from "./host/kvm-abi.js";
import type { Vcpu } from "./host/vcpu.js";
import { hypercallMsr, MSR_EFER, MSR_GS_BASE, watchedMsrs } from "./hypercall-msr.js";
import type { MachineThread } from "./thread.js";
import { trace } from "./trace.js";

const EFER_LMA = 0x400;
/** In the registers that KVM leaves in the run area. */
const RIP = KvmRun.REGS + 16 * 8;
const PAGE_MASK_LOW = 0xffff_f000;
/** Few writes of GS are between a soft reset and the next kernel. */
const KERNEL_LOOKS = 16;

export interface VcpuMsrParts {
  readonly vcpu: Vcpu;
  readonly virtual: VirtualMemory;
  /** How stubs of the hypercall page call. */
  readonly stubCall: keyof typeof StubCall;
  /** The guest's write of EFER is the first that is seen of a vCPU after INIT and SIPI. */
  renewed(): void;
  /** At an exit. */
  sregs(): Vcpu["run"]["sregs"];
}

export class VcpuMsrs {
  readonly #thread: MachineThread;
  readonly #index: VcpuId;
  readonly #parts: VcpuMsrParts;
  readonly #userspaceXen: boolean;
  readonly #hypercallMsr: number;
  /** Looks that are left at whether another kernel has shown itself since the guest reset itself softly. */
  #kernelLooks = 0;

  constructor(thread: MachineThread, index: VcpuId, parts: VcpuMsrParts) {
    this.#thread = thread;
    this.#index = index;
    this.#parts = parts;
    this.#userspaceXen = thread.parts.transport.kind === "userspace";
    this.#hypercallMsr = hypercallMsr(thread.config);
  }

  /** The guest goes on, perhaps as another kernel. */
  softReset(): void {
    if (this.#userspaceXen) this.#awaitKernel(KERNEL_LOOKS);
  }

  /** An access that KVM has left to us: done, or the guest gets a #GP. */
  access(exit: MsrExit): void {
    const write = exit.kind === "wrmsr";
    const { index, high, low } = exit;
    // [XENMSR] The MSR that places the hypercall page reads as zero.
    const accepted = write ? this.#write(index, high, low) : index === this.#hypercallMsr;
    this.#parts.vcpu.run.answerMsr(!accepted);
    if (trace.msr.hasSubscribers) {
      trace.msr.publish({ vcpu: this.#index, write, index, value: hex64(high, low), accepted });
    }
  }

  /** False when the guest is to get a #GP. */
  #write(index: number, high: number, low: number): boolean {
    if (index === this.#hypercallMsr) return this.#placeHypercallPage(high, low);
    if (index !== MSR_EFER && index !== MSR_GS_BASE) return false;
    if (this.#userspaceXen) this.#rewriteHypercalls();
    if (index === MSR_EFER) this.#parts.renewed();
    else if (this.#kernelLooks > 0 && --this.#kernelLooks === 0) this.#awaitKernel(0);
    return this.#parts.vcpu.setMsr(index, (BigInt(high) << 32n) | BigInt(low));
  }

  #rewriteHypercalls(): void {
    const { run } = this.#parts.vcpu;
    const { virtual } = this.#parts;
    const high = run.view.getUint32(RIP + 4, true);
    const low = run.view.getUint32(RIP, true) + (high === 0 ? segmentAt(run.sregs.cs).base : 0);
    virtual.begin();
    const at = virtual.translate(high, low >>> 0, false);
    const rewritten = at < 0 ? 0 : (this.#thread.xen?.domain.rewrite.rewriteAround(at) ?? 0);
    if (rewritten === 0) return;
    this.#thread.log.info("hypercalls of the guest's kernel rewritten", { rewritten });
    if (this.#kernelLooks > 0) this.#awaitKernel(0);
  }

  /** Looks out for a kernel that another one starts, so many times: each goes through what may be its image. */
  #awaitKernel(looks: number): void {
    this.#kernelLooks = looks;
    this.#thread.vm.filterMsrs(watchedMsrs(this.#thread.config, looks > 0), this.#hypercallMsr);
  }

  /**
   * Fills the page whose address the guest wrote; false when it has no such page. The low 12 bits are the page's index.
   * KVM's own Xen support would do it, but latches the guest's mode by EFER then, and not by the code that wrote, as Xen.
   */
  #placeHypercallPage(high: number, low: number): boolean {
    if ((low & ~PAGE_MASK_LOW) !== 0) return false;
    const page = new Uint8Array(4096);
    writeHypercallPage(page, this.#parts.stubCall);
    this.#thread.xen?.domain.latchLongMode(inLongMode(this.#parts.sregs()));
    return this.#thread.processorMemory.write(high * 0x1_0000_0000 + low, page);
  }
}

/** Whether the vCPU runs 64-bit code. [SDM] volume 3A, 2.2.1 (EFER.LMA), 3.4.5 (CS.L) */
export function inLongMode(sregs: Vcpu["run"]["sregs"]): boolean {
  return (sregs.efer & EFER_LMA) !== 0 && segmentAt(sregs.cs).l !== 0;
}

export function segmentAt(field: Uint8Array): ReturnType<typeof kvmSegment.view> {
  return kvmSegment.view(field.buffer).at(field.byteOffset);
}
