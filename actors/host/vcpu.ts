/** One KVM vCPU, for use on its own thread only: KVM takes the vCPU's mutex for every call. */
import * as abi from "./kvm-abi.js";
import { KVM } from "./kvm-abi.js";
import type { KvmCapName } from "./kvm-abi.js";
import { INTERRUPTED, KvmRun, WOKEN } from "./exit.js";
import type { VmExit } from "./exit.js";
import { KvmDevice } from "./kvm.js";
import type { Scratch } from "./kvm.js";
import { mapFile } from "./host-memory.js";
import { checked, ERRNO, SYS, syscallError } from "./libc.js";
import type { Libc } from "./libc.js";
import { KickSignal } from "./signals.js";

/** One CPUID leaf as KVM takes it. */
export interface CpuidEntry {
  readonly function: number;
  readonly index: number;
  readonly flags: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** KVM_MP_STATE_*. */
export const MpState = { runnable: 0, uninitialized: 1, initReceived: 2, halted: 3 } as const;

const MSR_IA32_TSC = 0x10;

export class Vcpu extends KvmDevice {
  readonly run: KvmRun;
  readonly #fast: Libc["fast"];
  readonly #scratch: Scratch;
  readonly #argument: number;
  readonly #signal: KickSignal;
  readonly #regs;
  readonly #sregs;

  /** Maps the run area at `runOffset` of the scratch's memory. */
  constructor(libc: Libc, fd: number, scratch: Scratch, runArea: { readonly offset: number; readonly length: number }) {
    super(libc, fd);
    this.#fast = libc.fast;
    this.#scratch = scratch;
    this.#argument = scratch.take(abi.KVM_CPUID2_HEADER + 256 * abi.kvmCpuidEntry.size);
    mapFile(libc, scratch.memory, { ...runArea, fd, fileOffset: 0, what: "map the vCPU's run area" });
    this.run = new KvmRun(scratch.memory.buffer, runArea.offset, runArea.length);
    this.#regs = abi.kvmRegs.view(scratch.memory.buffer);
    this.#sregs = abi.kvmSregs.view(scratch.memory.buffer);
    this.#signal = new KickSignal(libc, scratch);
    this.#setSignalMask();
  }

  /**
   * Runs the guest until something needs us.
   *
   * @throws VmmError HOST_SYSCALL when KVM_RUN fails for another reason than a kick
   */
  enter(): VmExit {
    const result = this.#fast(SYS.ioctl, this.fd, KVM.RUN, 0);
    if (result >= 0) return this.run.decode();
    if (result === -ERRNO.EINTR || result === -ERRNO.EAGAIN) {
      this.#signal.consume();
      return result === -ERRNO.EINTR ? INTERRUPTED : WOKEN;
    }
    throw syscallError("KVM_RUN", result, "run the guest");
  }

  /** Switches on what KVM can do for a single vCPU. */
  enableCap(name: KvmCapName): void {
    const { buffer, hva } = this.#scratch.memory;
    new Uint8Array(buffer, this.#argument, abi.kvmEnableCap.size).fill(0);
    abi.kvmEnableCap.view(buffer).at(this.#argument).cap = abi.KvmCap[name];
    this.must("ENABLE_CAP", hva + this.#argument, `enable KVM_CAP_${name}`);
  }

  setCpuid(entries: readonly CpuidEntry[]): void {
    const { buffer, hva } = this.#scratch.memory;
    const view = abi.kvmCpuidEntry.view(buffer);
    new DataView(buffer).setBigUint64(this.#argument, BigInt(entries.length), true);
    let at = this.#argument + abi.KVM_CPUID2_HEADER;
    for (const entry of entries) {
      Object.assign(view.at(at), entry);
      at += abi.kvmCpuidEntry.size;
    }
    this.must("SET_CPUID2", hva + this.#argument, "set the guest's CPUID");
  }

  /** General registers, fetched now: change the view, then call {@link storeRegs}. */
  fetchRegs(): typeof this.run.regs {
    this.must("GET_REGS", this.#scratch.memory.hva + this.#argument, "read the vCPU's registers");
    return this.#regs.at(this.#argument);
  }

  storeRegs(): void {
    this.must("SET_REGS", this.#scratch.memory.hva + this.#argument, "set the vCPU's registers");
  }

  fetchSregs(): typeof this.run.sregs {
    this.must("GET_SREGS", this.#scratch.memory.hva + this.#argument, "read the vCPU's system registers");
    return this.#sregs.at(this.#argument);
  }

  storeSregs(): void {
    this.must("SET_SREGS", this.#scratch.memory.hva + this.#argument, "set the vCPU's system registers");
  }

  /** As {@link storeSregs} with what the guest gave: false when KVM does not take it. */
  tryStoreSregs(): boolean {
    return this.ioctl("SET_SREGS", this.#scratch.memory.hva + this.#argument) === 0;
  }

  /** Sets one MSR; false when KVM does not know it. */
  setMsr(index: number, value: bigint): boolean {
    const { buffer, hva } = this.#scratch.memory;
    new DataView(buffer).setBigUint64(this.#argument, 1n, true);
    const entry = abi.kvmMsrEntry.view(buffer).at(this.#argument + abi.KVM_MSRS_HEADER);
    entry.index = index;
    entry.reserved = 0;
    entry.data = value;
    return this.must("SET_MSRS", hva + this.#argument, "set a model-specific register") === 1;
  }

  getMsr(index: number): bigint | undefined {
    const { buffer, hva } = this.#scratch.memory;
    new DataView(buffer).setBigUint64(this.#argument, 1n, true);
    const entry = abi.kvmMsrEntry.view(buffer).at(this.#argument + abi.KVM_MSRS_HEADER);
    entry.index = index;
    entry.reserved = 0;
    return this.must("GET_MSRS", hva + this.#argument, "read a model-specific register") === 1 ? entry.data : undefined;
  }

  /** A {@link MpState}. */
  setMpState(state: number): void {
    const { buffer, hva } = this.#scratch.memory;
    new DataView(buffer).setUint32(this.#argument, state, true);
    this.must("SET_MP_STATE", hva + this.#argument, "set the vCPU's run state");
  }

  /** A {@link MpState}, once INIT and SIPI that wait have been taken. */
  getMpState(): number {
    const { buffer, hva } = this.#scratch.memory;
    this.must("GET_MP_STATE", hva + this.#argument, "read the vCPU's run state");
    return new DataView(buffer).getUint32(this.#argument, true);
  }

  /** Queues an external interrupt, as the 8259 pair's INTA cycle would. */
  interrupt(vector: number): void {
    const { buffer, hva } = this.#scratch.memory;
    new DataView(buffer).setUint32(this.#argument, vector, true);
    const result = this.#fast(SYS.ioctl, this.fd, KVM.INTERRUPT, hva + this.#argument);
    checked("KVM_INTERRUPT", result, "interrupt the guest");
  }

  /**
   * Injects `vector` past the LAPIC (no EOI will come); false when an event is already on its way in. KVM does not count
   * such an event as a reason to wake, so a halted vCPU is made runnable.
   */
  injectPastLapic(vector: number): boolean {
    const { buffer, hva } = this.#scratch.memory;
    this.must("GET_VCPU_EVENTS", hva + this.#argument, "read the vCPU's events");
    const events = abi.kvmVcpuEvents.view(buffer).at(this.#argument);
    if (events.interruptInjected !== 0 || events.exceptionInjected !== 0 || events.interruptShadow !== 0) return false;
    events.interruptInjected = 1;
    events.interruptNr = vector;
    events.interruptSoft = 0;
    events.flags = 0;
    this.must("SET_VCPU_EVENTS", hva + this.#argument, "inject an interrupt");
    if (this.getMpState() === MpState.halted) this.setMpState(MpState.runnable);
    return true;
  }

  /** Takes back what KVM was about to inject, and NMIs that wait. */
  clearEvents(): void {
    const { buffer, hva } = this.#scratch.memory;
    new Uint8Array(buffer, this.#argument, abi.kvmVcpuEvents.size).fill(0);
    const events = abi.kvmVcpuEvents.view(buffer).at(this.#argument);
    events.flags = abi.KvmVcpuEvent.nmiPending | abi.KvmVcpuEvent.shadow;
    this.must("SET_VCPU_EVENTS", hva + this.#argument, "clear the vCPU's events");
  }

  /** Floating point, debug and extended control registers as after power-on. [SDM] table 10-1 */
  resetRareRegisters(): void {
    const { buffer, hva } = this.#scratch.memory;
    const at = this.#argument;
    const zeroed = (size: number): number => {
      new Uint8Array(buffer, at, size).fill(0);
      return at;
    };
    const fpu = abi.kvmFpu.view(buffer).at(zeroed(abi.kvmFpu.size));
    fpu.fcw = 0x40;
    fpu.mxcsr = 0x1f80;
    this.must("SET_FPU", hva + at, "reset the vCPU's floating point registers");
    const debug = abi.kvmDebugregs.view(buffer).at(zeroed(abi.kvmDebugregs.size));
    debug.dr6 = 0xffff_0ff0n;
    debug.dr7 = 0x400n;
    this.must("SET_DEBUGREGS", hva + at, "reset the vCPU's debug registers");
    const xcrs = abi.kvmXcrs.view(buffer).at(zeroed(abi.kvmXcrs.size));
    xcrs.nrXcrs = 1;
    xcrs.value = 1n;
    // A KVM whose processor has no XSAVE knows none.
    this.ioctl("SET_XCRS", hva + at);
  }

  /**
   * Has KVM give the processor the TSC's offset again, as it stands. At a triple fault on AMD, KVM clears the processor's
   * control block (SVM's VMCB) and fills it anew, all but that offset: the guest would then read the host's TSC, while KVM
   * goes on to compute the guest's clocks by the offset.
   */
  renewTscOffset(): void {
    const { buffer, hva } = this.#scratch.memory;
    const at = this.#argument;
    const attribute = abi.kvmDeviceAttr.view(buffer).at(at);
    attribute.flags = 0;
    attribute.group = abi.KVM_VCPU_TSC_CTRL;
    attribute.attr = abi.KVM_VCPU_TSC_OFFSET;
    attribute.addr = hva + at + abi.kvmDeviceAttr.size;
    if (this.ioctl("GET_DEVICE_ATTR", hva + at) === 0 && this.ioctl("SET_DEVICE_ATTR", hva + at) === 0) return;
    // Before Linux 5.16. What KVM is told within a second of what the TSC is, it takes for the offset that it has.
    const tsc = this.getMsr(MSR_IA32_TSC);
    if (tsc !== undefined) this.setMsr(MSR_IA32_TSC, tsc);
  }

  /** The local APIC's register page, copied out. */
  getLapic(): Uint8Array {
    const { buffer, hva } = this.#scratch.memory;
    this.must("GET_LAPIC", hva + this.#argument, "read the local APIC");
    return new Uint8Array(buffer, this.#argument, 1024).slice();
  }

  setLapic(registers: Uint8Array): void {
    const { buffer, hva } = this.#scratch.memory;
    new Uint8Array(buffer, this.#argument, 1024).set(registers);
    this.must("SET_LAPIC", hva + this.#argument, "set the local APIC");
  }

  /** Sets a per-vCPU Xen attribute; 0 or -errno. */
  xenSetAttr(type: number, value: number): number {
    const { buffer, hva } = this.#scratch.memory;
    const attr = abi.kvmXenVcpuAttr.view(buffer).at(this.#argument);
    attr.type = type;
    attr.value = value;
    return this.#fast(SYS.ioctl, this.fd, KVM.XEN_VCPU_SET_ATTR, hva + this.#argument);
  }

  /** Tells KVM VIRQ_TIMER's port, and arms the timer when `expiresNs` is not 0. */
  xenSetTimer(port: number, expiresNs: number): number {
    const { buffer, hva } = this.#scratch.memory;
    const attr = abi.kvmXenVcpuAttrTimer.view(buffer).at(this.#argument);
    attr.type = abi.KvmXenVcpuAttr.TIMER;
    attr.port = port;
    attr.priority = abi.KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL;
    attr.expiresNs = expiresNs;
    return this.#fast(SYS.ioctl, this.fd, KVM.XEN_VCPU_SET_ATTR, hva + this.#argument);
  }

  /** When the timer that KVM runs for VIRQ_TIMER fires, in ns of the guest's clock; 0 for none. */
  xenTimerDeadline(): number {
    const { buffer, hva } = this.#scratch.memory;
    const attr = abi.kvmXenVcpuAttrTimer.view(buffer).at(this.#argument);
    attr.type = abi.KvmXenVcpuAttr.TIMER;
    this.must("XEN_VCPU_GET_ATTR", hva + this.#argument, "read the vCPU's timer");
    return attr.expiresNs;
  }

  #setSignalMask(): void {
    const { buffer, hva } = this.#scratch.memory;
    const [low, high] = this.#signal.block();
    const view = new DataView(buffer);
    // struct kvm_signal_mask: a length of 8, then the kernel's sigset_t.
    view.setUint32(this.#argument, 8, true);
    view.setUint32(this.#argument + 4, low, true);
    view.setUint32(this.#argument + 8, high, true);
    this.must("SET_SIGNAL_MASK", hva + this.#argument, "set the signal mask of KVM_RUN");
  }
}
