/**
 * struct kvm_run, and nothing else knows it: why KVM_RUN returned, decoded into a closed union.
 *
 * The exit path allocates nothing: one object per kind of exit is made at start and filled in again at each exit. Whoever
 * gets one uses it before the next `decode()`. [KVM] 5, "The kvm_run structure".
 */
import type { Gpa, Port } from "../../shared/brand.js";
import type { AccessSize } from "../../shared/io.js";
import { KVM_EXIT_HYPERV_HCALL, KvmExit, kvmRegs, kvmSregs, kvmVcpuEvents } from "./kvm-abi.js";

/** Offsets into struct kvm_run, in bytes. */
const RUN = {
  requestInterruptWindow: 0,
  immediateExit: 1,
  exitReason: 8,
  readyForInterrupt: 12,
  ifFlag: 13,
  io: { direction: 32, size: 33, port: 34, count: 36, dataOffset: 40 },
  mmio: { address: 32, data: 40, length: 48, isWrite: 52 },
  eoiVector: 32,
  msr: { error: 32, reason: 40, index: 44, data: 48 },
  xen: { type: 32, longMode: 40, cpl: 44, input: 48, result: 56, params: 64 },
  failEntry: { reason: 32, cpu: 40 },
  internal: { suberror: 32, ndata: 36, data: 40 },
  unknownReason: 32,
  systemEvent: { type: 32 },
  hyperv: { type: 32, result: 48 },
  validRegs: 288,
  dirtyRegs: 296,
  regs: 304,
} as const;
const SREGS = RUN.regs + kvmRegs.size;
const EVENTS = SREGS + kvmSregs.size;

/** KVM_SYNC_X86_*: register sets that KVM_RUN copies in and out. */
export const SyncRegs = { regs: 1, sregs: 2, events: 4 } as const;

/** [TLFS] "Hypercall Status Codes": there is no such hypercall. */
const HV_STATUS_INVALID_HYPERCALL_CODE = 2;
const KVM_EXIT_IO_OUT = 1;
const KVM_EXIT_XEN_HCALL = 1;

export interface IoExit {
  readonly kind: "io";
  write: boolean;
  port: Port;
  size: AccessSize;
  /** How many accesses (`rep ins`, `rep outs`). */
  count: number;
  /** Where the data is in {@link KvmRun.bytes}. */
  dataOffset: number;
}
export interface MmioExit {
  readonly kind: "mmio";
  write: boolean;
  address: Gpa;
  /** 1..8 bytes. */
  size: number;
  dataOffset: number;
}
export interface MsrExit {
  readonly kind: "rdmsr" | "wrmsr";
  index: number;
  /** For wrmsr: the value, as two halves. */
  low: number;
  high: number;
}
/** A hypercall by KVM's own Xen support. */
export interface XenExit {
  readonly kind: "xen";
  longMode: boolean;
  cpl: number;
}
export interface EoiExit {
  readonly kind: "ioapic-eoi";
  vector: number;
}
export interface InternalErrorExit {
  readonly kind: "internal-error";
  suberror: number;
  data: readonly bigint[];
}
export interface FailEntryExit {
  readonly kind: "fail-entry";
  reason: bigint;
}
/** By Hyper-V's MSRs, `event` is one of KvmSystemEvent. */
export interface SystemEventExit {
  readonly kind: "system-event";
  event: number;
}
/** A hypercall of Hyper-V's that KVM leaves to us, or a change in its event controller's registers. */
export interface HypervExit {
  readonly kind: "hyperv";
  hypercall: boolean;
}
export interface UnknownExit {
  readonly kind: "unknown";
  reason: number;
}

export type VmExit =
  | IoExit
  | MmioExit
  | MsrExit
  | XenExit
  | EoiExit
  | InternalErrorExit
  | FailEntryExit
  | UnknownExit
  | SystemEventExit
  | HypervExit
  | { readonly kind: "hlt" }
  | { readonly kind: "interrupt-window" }
  | { readonly kind: "interrupted" }
  /** A vCPU that waits for INIT and SIPI got one of them, or an interrupt that it does not take. */
  | { readonly kind: "woken" }
  | { readonly kind: "shutdown" };

const HLT: VmExit = { kind: "hlt" };
const INTERRUPT_WINDOW: VmExit = { kind: "interrupt-window" };
export const INTERRUPTED: VmExit = { kind: "interrupted" };
export const WOKEN: VmExit = { kind: "woken" };
const SHUTDOWN: VmExit = { kind: "shutdown" };

/** struct kvm_run of one vCPU, mapped at `offset` of shared memory. */
export class KvmRun {
  /** The run area's bytes: `io` data lies in it. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  /** Registers as KVM_RUN left them; set {@link dirty} after changing them. */
  readonly regs;
  readonly sregs;
  readonly events;
  readonly #io: IoExit = { kind: "io", write: false, port: 0 as Port, size: 1, count: 0, dataOffset: 0 };
  readonly #mmio: MmioExit = {
    kind: "mmio",
    write: false,
    address: 0 as Gpa,
    size: 1,
    dataOffset: RUN.mmio.data,
  };
  readonly #rdmsr: MsrExit = { kind: "rdmsr", index: 0, low: 0, high: 0 };
  readonly #wrmsr: MsrExit = { kind: "wrmsr", index: 0, low: 0, high: 0 };
  readonly #xen: XenExit = { kind: "xen", longMode: false, cpl: 0 };
  readonly #eoi: EoiExit = { kind: "ioapic-eoi", vector: 0 };
  readonly #systemEvent: SystemEventExit = { kind: "system-event", event: 0 };
  readonly #hyperv: HypervExit = { kind: "hyperv", hypercall: false };

  constructor(buffer: SharedArrayBuffer, offset: number, length: number) {
    this.bytes = new Uint8Array(buffer, offset, length);
    this.view = new DataView(buffer, offset, length);
    this.regs = kvmRegs.view(buffer).at(offset + RUN.regs);
    this.sregs = kvmSregs.view(buffer).at(offset + SREGS);
    this.events = kvmVcpuEvents.view(buffer).at(offset + EVENTS);
  }

  /** Where `regs` starts in {@link view}: hot readers take 32-bit halves from there. */
  static readonly REGS = RUN.regs;
  /** Where `sregs` starts in {@link view}. */
  static readonly SREGS = SREGS;
  /** Where the arguments of a `xen` exit start: number, result, then six parameters of 64 bits. */
  static readonly XEN_INPUT = RUN.xen.input;
  static readonly XEN_RESULT = RUN.xen.result;
  static readonly XEN_PARAMS = RUN.xen.params;

  /** Which register sets each KVM_RUN copies out: SyncRegs bits. */
  set sync(sets: number) {
    this.view.setBigUint64(RUN.validRegs, BigInt(sets), true);
  }

  /** Marks register sets as changed: the next KVM_RUN copies them in. */
  set dirty(sets: number) {
    this.view.setUint32(RUN.dirtyRegs, sets, true);
  }

  /** Asks for an exit as soon as the guest can take an external interrupt. */
  set requestInterruptWindow(on: boolean) {
    this.bytes[RUN.requestInterruptWindow] = on ? 1 : 0;
  }

  get readyForInterrupt(): boolean {
    return this.bytes[RUN.readyForInterrupt] !== 0;
  }

  /** The guest's RFLAGS.IF at the last exit. */
  get interruptsEnabled(): boolean {
    return this.bytes[RUN.ifFlag] !== 0;
  }

  clearImmediateExit(): void {
    Atomics.store(this.bytes, RUN.immediateExit, 0);
  }

  /** From any thread: the next or current KVM_RUN returns at once. A kick signals the thread too. */
  setImmediateExit(): void {
    Atomics.store(this.bytes, RUN.immediateExit, 1);
  }

  /** Answers a `rdmsr` or `wrmsr` exit; `fault` makes the guest see #GP. */
  answerMsr(fault: boolean, low = 0, high = 0): void {
    this.bytes[RUN.msr.error] = fault ? 1 : 0;
    this.view.setUint32(RUN.msr.data, low, true);
    this.view.setUint32(RUN.msr.data + 4, high, true);
  }

  /** Answers a hypercall of Hyper-V's: there is none such. */
  refuseHypervHypercall(): void {
    this.view.setBigUint64(RUN.hyperv.result, BigInt(HV_STATUS_INVALID_HYPERCALL_CODE), true);
  }

  decode(): VmExit {
    const { view, bytes } = this;
    const reason = view.getUint32(RUN.exitReason, true);
    switch (reason) {
      case KvmExit.io: {
        const exit = this.#io;
        exit.write = bytes[RUN.io.direction] === KVM_EXIT_IO_OUT;
        exit.size = (bytes[RUN.io.size] ?? 1) as AccessSize;
        exit.port = view.getUint16(RUN.io.port, true) as Port;
        exit.count = view.getUint32(RUN.io.count, true);
        exit.dataOffset = view.getUint32(RUN.io.dataOffset, true);
        return exit;
      }
      case KvmExit.mmio: {
        const exit = this.#mmio;
        exit.write = bytes[RUN.mmio.isWrite] !== 0;
        exit.size = view.getUint32(RUN.mmio.length, true);
        exit.address = (view.getUint32(RUN.mmio.address, true) +
          view.getUint32(RUN.mmio.address + 4, true) * 0x1_0000_0000) as Gpa;
        return exit;
      }
      case KvmExit.xen:
        if (view.getUint32(RUN.xen.type, true) !== KVM_EXIT_XEN_HCALL) return { kind: "unknown", reason };
        this.#xen.longMode = view.getUint32(RUN.xen.longMode, true) !== 0;
        this.#xen.cpl = view.getUint32(RUN.xen.cpl, true);
        return this.#xen;
      case KvmExit.ioapicEoi:
        this.#eoi.vector = bytes[RUN.eoiVector] ?? 0;
        return this.#eoi;
      case KvmExit.rdmsr:
        return this.#msr(this.#rdmsr);
      case KvmExit.wrmsr:
        return this.#msr(this.#wrmsr);
      case KvmExit.hlt:
        return HLT;
      case KvmExit.irqWindowOpen:
        return INTERRUPT_WINDOW;
      case KvmExit.intr:
        return INTERRUPTED;
      case KvmExit.shutdown:
        return SHUTDOWN;
      case KvmExit.failEntry:
        return { kind: "fail-entry", reason: view.getBigUint64(RUN.failEntry.reason, true) };
      case KvmExit.internalError:
        return this.#internalError();
      case KvmExit.systemEvent:
        this.#systemEvent.event = view.getUint32(RUN.systemEvent.type, true);
        return this.#systemEvent;
      case KvmExit.hyperv:
        this.#hyperv.hypercall = view.getUint32(RUN.hyperv.type, true) === KVM_EXIT_HYPERV_HCALL;
        return this.#hyperv;
      default:
        return { kind: "unknown", reason };
    }
  }

  #msr(exit: MsrExit): MsrExit {
    exit.index = this.view.getUint32(RUN.msr.index, true);
    exit.low = this.view.getUint32(RUN.msr.data, true);
    exit.high = this.view.getUint32(RUN.msr.data + 4, true);
    return exit;
  }

  #internalError(): InternalErrorExit {
    const count = Math.min(this.view.getUint32(RUN.internal.ndata, true), 16);
    const data = Array.from({ length: count }, (_, i) => this.view.getBigUint64(RUN.internal.data + i * 8, true));
    return { kind: "internal-error", suberror: this.view.getUint32(RUN.internal.suberror, true), data };
  }
}
