/**
 * One vCPU: its thread runs the guest and handles every exit itself, inline.
 *
 * Life of an `in` instruction: KVM_RUN returns, `exit.ts` decodes, the bus finds the device, the device's code runs here
 * under its own lock, the value goes into the run area, KVM_RUN again. No message, no allocation, no other FFI call.
 */
import type { VcpuId } from "../shared/brand.js";
import { toRecord, unreachable } from "../shared/errors.js";
import { LogLimiter } from "../shared/log.js";
import { hex64 } from "../shared/trace.js";
import { VirtualMemory } from "../shared/virtual-memory.js";
import type { PagingRegisters } from "../shared/virtual-memory.js";
import type { BootRegisters } from "../devices/boot/registers.js";
import { VcpuRequest } from "../xen/host.js";
import type { HypercallFrame } from "../xen/hypercalls/call.js";
import { HYPERCALL_PORT, writeHypercallPage } from "../xen/hypercall-page.js";
import { applyBootState } from "./boot-state.js";
import { describeInternalError, describeVcpu } from "./crash-report.js";
import { upcallDeadline } from "./deadlines.js";
import { readRegisters } from "./dump/registers.js";
import type { VcpuRegisters } from "./dump/registers.js";
import { ExitHistory } from "./exit-history.js";
import { SyncRegs } from "./host/exit.js";
import type { MsrExit, VmExit } from "./host/exit.js";
import { kvmSegment } from "./host/kvm-abi.js";
import { Vcpu } from "./host/vcpu.js";
import { SYS } from "./host/libc.js";
import { HYPERCALL_MSR } from "./hypercall-msr.js";
import { KernelFrame, RegisterFrame } from "./hypercall-frames.js";
import type { VcpuOutcome, VcpuWorkerInit } from "./protocol.js";
import type { MachineThread, XenParts } from "./thread.js";
import { trace } from "./trace.js";
import { XenVcpuSync } from "./xen-vcpu-sync.js";

const EFER_LMA = 0x400;
const PAGE_MASK_LOW = 0xffff_f000;
/** How soon a closed-interrupt vCPU is looked at again when nothing else would make it exit. */
const UPCALL_RETRY_NS = 200_000;

export class VcpuThread {
  readonly #thread: MachineThread;
  readonly #index: VcpuId;
  readonly #vcpu: Vcpu;
  readonly #xen: XenParts | undefined;
  readonly #virtual: VirtualMemory;
  readonly #kernelFrame: KernelFrame;
  readonly #registerFrame: RegisterFrame;
  readonly #sync: XenVcpuSync | undefined;
  readonly #userspaceXen: boolean;
  readonly #history = new ExitHistory();
  readonly #warned = new LogLimiter(4);
  /** The 8259 pair or an upcall waits until the guest opens its interrupts. */
  #extIntWaits = false;
  #upcallWaits = false;
  /** The device actor has been seen to be up. */
  #devicesReady = false;

  constructor(thread: MachineThread, index: VcpuId, setup: Pick<VcpuWorkerInit, "vcpuFd" | "cpuid">) {
    const { layout } = thread.parts.memory;
    const runArea = { offset: layout.runs + index * layout.runBytes, length: layout.runBytes };
    this.#thread = thread;
    this.#index = index;
    this.#vcpu = new Vcpu(thread.libc, setup.vcpuFd, thread.scratch, runArea);
    this.#vcpu.setCpuid(setup.cpuid);
    this.#xen = thread.xen;
    this.#userspaceXen = thread.parts.transport.kind === "userspace";
    const { run } = this.#vcpu;
    // KVM copies them out at every exit: worth it only where nearly every exit is a hypercall of the stubs'.
    run.sync = this.#userspaceXen ? SyncRegs.sregs + SyncRegs.regs : 0;
    this.#virtual = new VirtualMemory(
      thread.memory,
      {
        load: (into) => {
          this.#loadPaging(into);
        },
      },
      thread.xen?.domain.overlays,
    );
    this.#kernelFrame = new KernelFrame(index, run);
    this.#registerFrame = new RegisterFrame(index, run);
    this.#sync = thread.xen === undefined ? undefined : new XenVcpuSync(thread, index, this.#vcpu, thread.xen);
    thread.kicks.enlist(index, thread.libc.syscall(SYS.gettid));
  }

  /** Power-on state; vCPU 0 resets the shared platform first, as the others' state depends on it. */
  reset(registers: BootRegisters | undefined): void {
    if (this.#index === 0) this.#thread.resetPlatform();
    this.#devicesReady = false;
    applyBootState(this.#vcpu, registers, this.#index === 0);
    this.#history.reset();
    this.#extIntWaits = false;
    this.#upcallWaits = false;
    this.#vcpu.run.requestInterruptWindow = false;
    this.#sync?.reset();
  }

  /** Runs the guest until the lifecycle says stop, or the guest cannot go on. Never throws. */
  run(): VcpuOutcome {
    try {
      return this.#loop();
    } catch (error) {
      this.#thread.lifecycle.end("failed", this.#index);
      this.#thread.kicks.requestAll(VcpuRequest.control);
      return { kind: "failed", error: toRecord(error) };
    }
  }

  report(): string {
    const { memory } = this.#thread;
    this.#virtual.begin();
    return describeVcpu({
      index: this.#index,
      vcpu: this.#vcpu,
      memory,
      history: this.#history,
      translate: (hi, lo) => this.#virtual.translate(hi, lo, false),
    });
  }

  registers(): VcpuRegisters {
    return readRegisters(this.#vcpu);
  }

  #loop(): VcpuOutcome {
    const { kicks, lifecycle } = this.#thread;
    const index = this.#index;
    while (!lifecycle.stopping) {
      const requests = kicks.take(index);
      if (requests !== 0) this.#serve(requests);
      if (this.#extIntWaits || this.#upcallWaits) this.#inject();
      kicks.enter(index);
      const exit = this.#vcpu.enter();
      kicks.leave(index);
      this.#history.record(exit);
      const crash = this.#dispatch(exit);
      if (crash !== undefined) return this.#crashed(crash);
      this.#afterExit();
    }
    this.#finishExit();
    return { kind: "stopped" };
  }

  /** Handles one exit; the reason when the guest cannot go on. */
  #dispatch(exit: VmExit): string | undefined {
    switch (exit.kind) {
      case "io":
        if (exit.port === HYPERCALL_PORT && exit.write && this.#userspaceXen) this.#hypercallByPort();
        else this.#thread.board.bus.io(exit, this.#vcpu.run);
        return undefined;
      case "mmio":
        this.#thread.board.bus.mmio(exit, this.#vcpu.run);
        return undefined;
      case "xen":
        this.#kernelFrame.fetch(exit.longMode, exit.cpl);
        this.#hypercall(this.#kernelFrame);
        this.#kernelFrame.finish();
        return undefined;
      case "rdmsr":
      case "wrmsr":
        this.#msr(exit);
        return undefined;
      case "ioapic-eoi":
        this.#thread.board.ioapic.eoi(exit.vector);
        return undefined;
      case "interrupted":
        this.#thread.kicks.clear(this.#index);
        return undefined;
      case "interrupt-window":
      case "hlt":
        return undefined;
      case "shutdown":
        return "triple fault: the guest could not handle an exception while handling another";
      case "fail-entry":
        return `KVM cannot enter the guest: hardware entry failure 0x${exit.reason.toString(16)}`;
      case "internal-error":
        return describeInternalError(exit.suberror);
      case "unknown":
        return `KVM exit ${exit.reason}, which is not handled`;
      default:
        return unreachable(exit);
    }
  }

  /** The stub in the hypercall page has written to the private port. */
  #hypercallByPort(): void {
    const frame = this.#registerFrame;
    const { sregs } = this.#vcpu.run;
    const cs = this.#segmentAt(sregs.cs);
    frame.fetch((sregs.efer & EFER_LMA) !== 0 && cs.l !== 0, this.#segmentAt(sregs.ss).dpl);
    this.#hypercall(frame);
    frame.finish();
  }

  /** The guest's first instructions may run before xenstore and the PV devices are there; its first hypercall may not. */
  #hypercall(frame: HypercallFrame): void {
    if (!this.#devicesReady) {
      this.#thread.lifecycle.awaitDevices();
      this.#devicesReady = true;
    }
    this.#xen?.domain.hypercall(frame, this.#virtual);
  }

  #segmentAt(field: Uint8Array): ReturnType<typeof kvmSegment.view> {
    return kvmSegment.view(field.buffer).at(field.byteOffset);
  }

  #msr(exit: MsrExit): void {
    const { run } = this.#vcpu;
    const write = exit.kind === "wrmsr";
    const { index, high, low } = exit;
    const ours = write && index === HYPERCALL_MSR && this.#userspaceXen;
    const accepted = ours && this.#placeHypercallPage(high, low);
    run.answerMsr(!accepted);
    if (trace.msr.hasSubscribers) {
      trace.msr.publish({ vcpu: this.#index, write, index, value: hex64(high, low), accepted });
    }
  }

  /** Fills the page whose address the guest wrote; false when it has no such page. The low 12 bits are the page's index. */
  #placeHypercallPage(high: number, low: number): boolean {
    if ((low & ~PAGE_MASK_LOW) !== 0) return false;
    const page = new Uint8Array(4096);
    writeHypercallPage(page);
    const { sregs } = this.#vcpu.run;
    this.#xen?.domain.latchLongMode((sregs.efer & EFER_LMA) !== 0 && this.#segmentAt(sregs.cs).l !== 0);
    return this.#thread.memory.write(high * 0x1_0000_0000 + low, page);
  }

  #serve(requests: number): void {
    if ((requests & VcpuRequest.syncXen) !== 0) this.#sync?.push();
    if ((requests & VcpuRequest.extInt) !== 0) this.#extIntWaits = true;
    if ((requests & VcpuRequest.upcall) !== 0) this.#upcallWaits = true;
    if ((requests & VcpuRequest.callback) !== 0) this.#thread.callback.drive();
  }

  #afterExit(): void {
    this.#sync?.refreshTime();
    if (this.#index !== 0 || this.#xen === undefined) return;
    const { delivery } = this.#xen.domain;
    if (delivery.callbackAsserted()) delivery.callbackLineCheck();
  }

  /** Puts what waits into the guest if it takes interrupts now, or asks for an exit when it does. */
  #inject(): void {
    const { run } = this.#vcpu;
    if (this.#upcallWaits) this.#injectUpcall();
    if (!this.#extIntWaits) return;
    const { i8259 } = this.#thread.board;
    if (i8259.output === 0) this.#extIntWaits = false;
    else if (run.readyForInterrupt) {
      const vector = i8259.acknowledge();
      this.#vcpu.interrupt(vector);
      this.#traceInterrupt(vector, "8259");
      this.#extIntWaits = (i8259.output as number) !== 0;
    }
    run.requestInterruptWindow = this.#extIntWaits;
  }

  /** The global vector goes past the LAPIC, without EOI, so it can only go in while interrupts are open. */
  #injectUpcall(): void {
    const vector = this.#xen?.domain.delivery.upcallVector(this.#index) ?? 0;
    if (vector === 0) this.#upcallWaits = false;
    else if (this.#vcpu.run.interruptsEnabled && this.#vcpu.injectPastLapic(vector)) {
      this.#upcallWaits = false;
      this.#traceInterrupt(vector, "upcall");
    } else {
      const { clock, config, deadlines } = this.#thread;
      deadlines.arm(upcallDeadline(this.#index, config.vcpus.count), clock.nowNs() + UPCALL_RETRY_NS);
    }
  }

  #traceInterrupt(vector: number, by: "8259" | "upcall"): void {
    if (trace.interrupt.hasSubscribers) trace.interrupt.publish({ vector, target: this.#index, by });
  }

  /** KVM finishes the instruction of an I/O exit at the next entry: lets it, without running the guest on. */
  #finishExit(): void {
    this.#vcpu.run.setImmediateExit();
    this.#vcpu.enter();
    this.#thread.kicks.clear(this.#index);
  }

  #crashed(reason: string): VcpuOutcome {
    this.#thread.lifecycle.end("crash", this.#index);
    this.#thread.kicks.requestAll(VcpuRequest.control);
    if (this.#warned.allow("crash")) this.#thread.log.error("guest crashed", { vcpu: this.#index, reason });
    return { kind: "crashed", report: `${reason}\n${this.report()}` };
  }

  #loadPaging(into: PagingRegisters): void {
    const sregs = this.#userspaceXen ? this.#vcpu.run.sregs : this.#vcpu.fetchSregs();
    into.cr0 = sregs.cr0;
    into.cr3 = sregs.cr3;
    into.cr4 = sregs.cr4;
    into.efer = sregs.efer;
  }
}
