/**
 * What waits to be told to one vCPU, and goes into it past its local APIC: an interrupt of the 8259 pair ([8259A] INTR), and
 * Xen's upcall. On the vCPU's own thread, between two entries.
 */
import type { VcpuId } from "../shared/brand.js";
import { upcallDeadline } from "./deadlines.js";
import type { Vcpu } from "./host/vcpu.js";
import type { MachineThread } from "./thread.js";
import { trace } from "./trace.js";
import { UpcallRetry } from "./upcall-retry.js";

export class VcpuInterrupts {
  readonly #index: VcpuId;
  readonly #vcpu: Vcpu;
  readonly #thread: MachineThread;
  /** On the kernel transport KVM itself tells of upcalls by the global vector. */
  readonly #userspaceXen: boolean;
  /** The 8259 pair or an upcall waits until the guest opens its interrupts, or an upcall until its local APIC is on. */
  #extIntWaits = false;
  #upcallWaits = false;
  /** A vCPU that cannot be told is looked at again when nothing else makes it exit. */
  readonly #upcallRetry = new UpcallRetry();

  constructor(thread: MachineThread, index: VcpuId, vcpu: Vcpu) {
    this.#thread = thread;
    this.#index = index;
    this.#vcpu = vcpu;
    this.#userspaceXen = thread.parts.transport.kind === "userspace";
  }

  /** Power-on: nothing waits. */
  reset(): void {
    this.#extIntWaits = false;
    this.#upcallWaits = false;
    this.#vcpu.run.requestInterruptWindow = false;
  }

  /** The domain has no events any more; the 8259 pair goes on. */
  softReset(): void {
    this.#upcallWaits = false;
  }

  /** {@link inject} has something to do. */
  get wait(): boolean {
    return this.#extIntWaits || this.#upcallWaits;
  }

  awaitExtInt(): void {
    this.#extIntWaits = true;
  }

  awaitUpcall(): void {
    if (this.#upcallWaits) this.#upcallRetry.failed();
    else this.#upcallRetry.over();
    this.#upcallWaits = true;
  }

  /** Puts what waits into the guest if it takes interrupts now, or asks for an exit when it does. */
  inject(): void {
    if (this.#upcallWaits) this.#injectUpcall();
    if (this.#extIntWaits) this.#injectExtInt();
  }

  #injectExtInt(): void {
    const { run } = this.#vcpu;
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

  #injectUpcall(): void {
    this.#upcallWaits = !this.#upcall();
    const { clock, config, deadlines } = this.#thread;
    const next = this.#upcallWaits ? clock.nowNs() + this.#upcallRetry.gapNs : Infinity;
    deadlines.arm(upcallDeadline(this.#index, config.vcpus.count), next);
  }

  /** Tells the guest of events, if there are any; false when it cannot be told now. */
  #upcall(): boolean {
    const delivery = this.#thread.xen?.domain.delivery;
    if (delivery === undefined) return true;
    // On the kernel transport KVM sees evtchn_upcall_pending by itself as it enters the guest: leaving it was all there was to do
    const vector = this.#userspaceXen ? delivery.upcallVector(this.#index) : 0;
    if (vector === 0) return delivery.upcallByOwnVector(this.#index);
    // The global vector goes past the LAPIC, without EOI, so it can only go in while interrupts are open
    if (!this.#vcpu.run.interruptsEnabled || !this.#vcpu.injectPastLapic(vector)) return false;
    this.#traceInterrupt(vector, "upcall");
    return true;
  }

  #traceInterrupt(vector: number, by: "8259" | "upcall"): void {
    if (trace.interrupt.hasSubscribers) trace.interrupt.publish({ vector, target: this.#index, by });
  }
}
