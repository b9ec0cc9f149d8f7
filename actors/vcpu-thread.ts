/**
 * One vCPU: its thread runs the guest and handles every exit itself, inline.
 *
 * Life of an `in` instruction: KVM_RUN returns, `exit.ts` decodes, the bus finds the device, the device's code runs here
 * under its own lock, the value goes into the run area, KVM_RUN again. No message, no allocation, no other FFI call.
 */
import type { VcpuId } from "../shared/brand.js";
import { toRecord, unreachable } from "../shared/errors.js";
import { LogLimiter } from "../shared/log.js";
import { VirtualMemory } from "../shared/virtual-memory.js";
import type { PagingRegisters } from "../shared/virtual-memory.js";
import type { BootRegisters } from "../devices/boot/registers.js";
import { VcpuRequest } from "../xen/host.js";
import { HYPERCALL_PORT } from "../xen/hypercall-page.js";
import { needsDevices } from "../xen/hypercalls/needs-devices.js";
import { applyBootState } from "./boot-state.js";
import { isAmd } from "./cpu-topology.js";
import { describeInternalError, describeVcpu } from "./crash-report.js";
import { readRegisters } from "./dump/registers.js";
import type { VcpuRegisters } from "./dump/registers.js";
import { ExitHistory } from "./exit-history.js";
import { CoalescedWrites } from "./host/coalesced-writes.js";
import { SyncRegs } from "./host/exit.js";
import type { VmExit } from "./host/exit.js";
import { KvmSystemEvent } from "./host/kvm-abi.js";
import { Vcpu } from "./host/vcpu.js";
import { checked, SYS } from "./host/libc.js";
import { describeInterrupts } from "./interrupt-report.js";
import { KernelFrame, RegisterFrame } from "./hypercall-frames.js";
import { showsHyperv } from "./hyperv-cpuid.js";
import type { VcpuOutcome, VcpuWorkerInit } from "./protocol.js";
import { ReadyDisks } from "./ready-disks.js";
import type { MachineThread, XenParts } from "./thread.js";
import { VcpuInterrupts } from "./vcpu-interrupts.js";
import { inLongMode, segmentAt, VcpuMsrs } from "./vcpu-msrs.js";
import { VcpuPower } from "./vcpu-power.js";
import { XenVcpuSync } from "./xen-vcpu-sync.js";

const TRIPLE_FAULT = "triple fault: the guest could not handle an exception while handling another";
/** How long a vCPU that is down sleeps when an interrupt that it does not take keeps KVM from sleeping. */
const DOWN_LOOK_MS = 10;

export class VcpuThread {
  readonly #thread: MachineThread;
  readonly #index: VcpuId;
  readonly #vcpu: Vcpu;
  readonly #xen: XenParts | undefined;
  readonly #virtual: VirtualMemory;
  readonly #kernelFrame: KernelFrame;
  readonly #registerFrame: RegisterFrame;
  readonly #sync: XenVcpuSync | undefined;
  readonly #power: VcpuPower | undefined;
  readonly #userspaceXen: boolean;
  readonly #interrupts: VcpuInterrupts;
  readonly #msrs: VcpuMsrs;
  readonly #coalesced: CoalescedWrites | undefined;
  readonly #readyDisks: ReadyDisks;
  readonly #history = new ExitHistory();
  readonly #warned = new LogLimiter(4);
  /** CPUID leaf 1's eax. */
  readonly #signature: number;
  /** Not its first power-on. */
  #used = false;
  /** The device actor has been seen to be up. */
  #devicesReady = false;

  constructor(thread: MachineThread, index: VcpuId, setup: Pick<VcpuWorkerInit, "vcpuFd" | "cpuid" | "disks">) {
    const { layout } = thread.parts.memory;
    const runArea = { offset: layout.runs + index * layout.runBytes, length: layout.runBytes };
    this.#thread = thread;
    this.#index = index;
    this.#readyDisks = new ReadyDisks(thread, setup.disks);
    thread.readyDisks = this.#readyDisks;
    this.#vcpu = new Vcpu(thread.libc, setup.vcpuFd, thread.scratch, runArea);
    this.#vcpu.setCpuid(setup.cpuid);
    // A page that the guest has for events from Hyper-V; by version 2, KVM does not clear it.
    if (thread.config.cpu.hyperv.includes("synic")) this.#vcpu.enableCap("HYPERV_SYNIC2");
    this.#signature = setup.cpuid.find((entry) => entry.function === 1)?.eax ?? 0;
    this.#xen = thread.xen;
    this.#userspaceXen = thread.parts.transport.kind === "userspace";
    const { coalescedAt, memory } = thread.parts;
    if (coalescedAt > 0) {
      const ring = runArea.offset + coalescedAt;
      this.#coalesced = new CoalescedWrites(thread.coalescedLock, memory.control.buffer, ring, thread.board.bus);
    }
    const { run } = this.#vcpu;
    // KVM copies them out at every exit: worth it only where nearly every exit is a hypercall of the stubs'.
    run.sync = this.#userspaceXen ? SyncRegs.sregs + SyncRegs.regs : 0;
    this.#virtual = new VirtualMemory(
      thread.processorMemory,
      {
        load: (into) => {
          this.#loadPaging(into);
        },
      },
      thread.xen?.domain.overlays,
    );
    this.#kernelFrame = new KernelFrame(index, run);
    this.#registerFrame = new RegisterFrame(index, run);
    this.#interrupts = new VcpuInterrupts(thread, index, this.#vcpu);
    this.#msrs = new VcpuMsrs(thread, index, {
      vcpu: this.#vcpu,
      virtual: this.#virtual,
      stubCall: this.#userspaceXen ? "out" : isAmd(setup.cpuid) ? "vmmcall" : "vmcall",
      renewed: () => {
        this.#renewed();
      },
      sregs: () => this.#sregsOfExit(),
    });
    this.#sync = thread.xen === undefined ? undefined : new XenVcpuSync(thread, index, this.#vcpu, thread.xen);
    this.#power = thread.xen === undefined ? undefined : this.#powerOf(thread.xen);
    thread.kicks.enlist(index, checked("gettid", thread.libc.syscall(SYS.gettid), "name the vCPU's thread"));
  }

  /** Power-on state; vCPU 0 resets the shared platform first, as the others' state depends on it. */
  reset(registers: BootRegisters | undefined): void {
    if (this.#index === 0) this.#thread.resetPlatform();
    this.#devicesReady = false;
    applyBootState(this.#vcpu, registers, {
      isBoot: this.#index === 0,
      apicId: this.#thread.parts.apicIds[this.#index] ?? 0,
      signature: this.#signature,
      direct: this.#thread.config.boot.kind === "direct",
      hyperv: showsHyperv(this.#thread.config),
      used: this.#used,
    });
    this.#used = true;
    this.#power?.reset();
    this.#history.reset();
    this.#interrupts.reset();
    this.#sync?.reset();
  }

  /** The Xen domain was reset under a guest that goes on. */
  softReset(): void {
    this.#devicesReady = false;
    this.#interrupts.softReset();
    this.#sync?.reset();
    this.#msrs.softReset();
  }

  /** The vCPU rests behind a hypercall, whose result is in rax. */
  answerHypercall(result: number): void {
    this.#vcpu.fetchRegs().rax = BigInt(result);
    this.#vcpu.storeRegs();
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
    const memory = this.#thread.processorMemory;
    this.#virtual.begin();
    return describeVcpu({
      index: this.#index,
      vcpu: this.#vcpu,
      memory,
      history: this.#history,
      interrupts: describeInterrupts(this.#vcpu, this.#index, this.#thread.xen?.domain),
      translate: (hi, lo) => this.#virtual.translate(hi, lo, false),
    });
  }

  registers(): VcpuRegisters {
    return readRegisters(this.#vcpu);
  }

  #loop(): VcpuOutcome {
    const { kicks } = this.#thread;
    const index = this.#index;
    // A guest that was reset softly goes on with the vCPUs that it had.
    let crash = this.#power?.settle();
    this.#sync?.resume();
    while (!this.#isToStop()) {
      // Serving may let KVM finish an instruction, which swallows a kick: look again.
      for (let asked = kicks.take(index); asked !== 0 && crash === undefined; asked = kicks.take(index)) {
        crash = this.#serve(asked);
      }
      if (crash !== undefined) return this.#crashed(crash);
      // And at this: that kick may have been the one to stop.
      if (this.#isToStop()) break;
      if (this.#interrupts.wait && this.#power?.parked !== true) this.#interrupts.inject();
      kicks.enter(index);
      const exit = this.#vcpu.enter();
      kicks.leave(index);
      this.#coalesced?.drain();
      this.#history.record(exit);
      crash = this.#dispatch(exit);
      if (crash !== undefined) return crash === TRIPLE_FAULT ? this.#tripleFaulted() : this.#crashed(crash);
      this.#afterExit();
    }
    this.#finishExit();
    this.#sync?.rest();
    return { kind: "stopped" };
  }

  /** May change at any time. */
  #isToStop(): boolean {
    return this.#thread.lifecycle.stopping;
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
        return undefined;
      case "rdmsr":
      case "wrmsr":
        this.#msrs.access(exit);
        return undefined;
      case "ioapic-eoi":
        this.#thread.board.ioapic.eoi(exit.vector);
        return undefined;
      case "interrupted":
        this.#thread.kicks.clear(this.#index);
        return undefined;
      case "woken":
        return this.#woken();
      case "interrupt-window":
      case "hlt":
        return undefined;
      case "shutdown":
        return TRIPLE_FAULT;
      case "hyperv":
        if (exit.hypercall) this.#vcpu.run.refuseHypervHypercall();
        return undefined;
      case "system-event":
        return this.#systemEvent(exit.event);
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

  /** Hyper-V's MSRs for a reset, and for a crash that the guest reports before it ends. */
  #systemEvent(event: number): string | undefined {
    switch (event) {
      case KvmSystemEvent.reset:
        this.#thread.end("reset");
        return undefined;
      case KvmSystemEvent.crash:
        return "the guest reported a crash by Hyper-V's crash MSRs";
      default:
        return `KVM system event ${event}, which is not handled`;
    }
  }

  /** The stub in the hypercall page has written to the private port. */
  #hypercallByPort(): void {
    const frame = this.#registerFrame;
    const { sregs } = this.#vcpu.run;
    frame.fetch(inLongMode(sregs), segmentAt(sregs.ss).dpl);
    this.#hypercall(frame);
  }

  /** The guest may run before xenstore and the PV devices are there, until it calls for what may need them. */
  #hypercall(frame: KernelFrame | RegisterFrame): void {
    if (!this.#devicesReady && needsDevices(frame)) {
      this.#thread.lifecycle.awaitDevices();
      this.#devicesReady = true;
    }
    this.#xen?.domain.hypercall(frame, this.#virtual);
    frame.finish();
    if (frame.again) this.#callAgain(frame);
  }

  /** What is left of the call lies in the guest's registers alone: the vCPU can rest, be saved or be interrupted now. */
  #callAgain(frame: KernelFrame | RegisterFrame): void {
    this.#finishExit();
    frame.rewind(this.#vcpu.fetchRegs());
    this.#vcpu.storeRegs();
  }

  /** What was asked by others; the reason when the guest cannot go on. */
  #serve(requests: number): string | undefined {
    if ((requests & VcpuRequest.syncXen) !== 0) this.#sync?.push();
    if ((requests & VcpuRequest.extInt) !== 0) this.#interrupts.awaitExtInt();
    if ((requests & VcpuRequest.upcall) !== 0) this.#interrupts.awaitUpcall();
    if ((requests & VcpuRequest.callback) !== 0) this.#thread.callback.drive();
    return (requests & VcpuRequest.power) === 0 ? undefined : this.#settle();
  }

  #settle(): string | undefined {
    const crash = this.#power?.settle();
    this.#thread.kicks.settled(this.#index);
    return crash;
  }

  /** KVM took an INIT or a SIPI, or has an interrupt for a vCPU that is down. */
  #woken(): string | undefined {
    const crash = this.#power?.settle();
    if (this.#power?.parked === true) this.#thread.kicks.pollWait(this.#index, DOWN_LOOK_MS);
    return crash;
  }

  #afterExit(): void {
    this.#readyDisks.serve();
    this.#sync?.refreshTime();
    if (this.#index !== 0 || this.#xen === undefined) return;
    const { delivery } = this.#xen.domain;
    if (delivery.callbackAsserted()) delivery.callbackLineCheck();
  }

  #powerOf({ domain }: XenParts): VcpuPower {
    return new VcpuPower(this.#index, {
      vcpu: this.#vcpu,
      domain,
      host: {
        finishExit: () => {
          this.#finishExit();
        },
        renewed: () => {
          this.#renewed();
        },
      },
    });
  }

  /** INIT took the clock, and from the local APIC an upcall that the guest had not taken: Xen tells it anew as that goes on. */
  #renewed(): void {
    this.#sync?.renewClock();
    this.#interrupts.awaitUpcall();
  }

  /** KVM finishes the instruction of an I/O exit at the next entry: lets it, without running the guest on. */
  #finishExit(): void {
    let exit: VmExit;
    do {
      this.#vcpu.run.setImmediateExit();
      exit = this.#vcpu.enter();
      this.#thread.kicks.clear(this.#index);
      // An access over a page's end comes in two.
      if (exit.kind === "mmio") this.#thread.board.bus.mmio(exit, this.#vcpu.run);
    } while (exit.kind === "mmio");
  }

  /** The others stop where they are: the whole machine is reset, or ends. */
  #tripleFaulted(): VcpuOutcome {
    this.#thread.lifecycle.end("triple-fault", this.#index);
    this.#thread.kicks.requestAll(VcpuRequest.control);
    return { kind: "triple-fault", report: `${TRIPLE_FAULT}\n${this.report()}` };
  }

  #crashed(reason: string): VcpuOutcome {
    this.#thread.lifecycle.end("crash", this.#index);
    this.#thread.kicks.requestAll(VcpuRequest.control);
    if (this.#warned.allow("crash")) this.#thread.log.error("guest crashed", { vcpu: this.#index, reason });
    return { kind: "crashed", report: `${reason}\n${this.report()}` };
  }

  #sregsOfExit(): Vcpu["run"]["sregs"] {
    return this.#userspaceXen ? this.#vcpu.run.sregs : this.#vcpu.fetchSregs();
  }

  #loadPaging(into: PagingRegisters): void {
    const sregs = this.#sregsOfExit();
    into.cr0 = sregs.cr0;
    into.cr3 = sregs.cr3;
    into.cr4 = sregs.cr4;
    into.efer = sregs.efer;
  }
}
