/**
 * What the Xen half of the machine needs from the threads and from KVM. `actors/` implements it, once per thread; all the
 * rest of `xen/` is pure. Unless a method says otherwise, any thread may call it.
 */
import type { EvtchnPort, Gfn, Gpa, VcpuId, Vector } from "../shared/brand.js";
import type { Log } from "../shared/log.js";

/** Things that only the vCPU's own thread can do, asked of it by any thread: bits of its request word. */
export const VcpuRequest = {
  /** Push this vCPU's Xen attributes (vcpu_info, time, runstate, upcall vector) to KVM. */
  syncXen: 1 << 0,
  /**
   * evtchn_upcall_pending was raised and the guest could not be told: by the global vector, which goes in when interrupts are
   * open, or by the vCPU's own, when its local APIC is on.
   */
  upcall: 1 << 1,
  /** The 8259 pair's output changed: vCPU 0 looks at it. */
  extInt: 1 << 2,
  /** Lifecycle: pause, reset or stop; the mailbox says which. */
  control: 1 << 3,
  /** The level of the callback's interrupt line changed: vCPU 0 drives it. */
  callback: 1 << 4,
  /** The vCPU has come up or gone down (`xen/vcpu-states.ts`), or somebody wants to know what INIT and SIPI made of it. */
  power: 1 << 5,
} as const;

/** Why a guest ends its life, `SHUTDOWN_*` of sched.h. */
export type ShutdownReason = "poweroff" | "reboot" | "suspend" | "crash" | "watchdog" | "soft_reset";

/** Where an event-channel port leads, as the kernel offload wants it. */
export type EvtchnRoute =
  /** Sends from the guest raise the port itself on `vcpu` (IPI). */
  | { readonly kind: "port"; readonly vcpu: VcpuId }
  /** Sends from the guest signal our back end, on the thread that `owner` names. */
  | { readonly kind: "backend"; readonly owner: number };

/** Threads that own back ends: 0 is the device actor, `disk0 + n` the n-th disk's I/O actor. Network cards' come then. */
export const BackendOwner = { device: 0, disk0: 1 } as const;

/** The I/O actor of the n-th network card, in a machine with `disks` disks. */
export function netOwner(disks: number, n: number): number {
  return BackendOwner.disk0 + disks + n;
}

/** KVM's own Xen support, as far as the host has it. Absent on the userspace transport. */
export interface XenKernel {
  /** KVM sets pending bits, selectors and upcalls itself (EVTCHN_SEND). When false the caller does, as on userspace. */
  readonly sendsEvents: boolean;
  /** KVM fills runstate areas (RUNSTATE). When false we do, as on userspace. */
  readonly keepsRunstate: boolean;
  /** KVM reaches shared_info by our address of it, wherever the guest has it (SHARED_INFO_HVA). */
  readonly findsSharedInfo: boolean;
  /** Makes `port` pending on `vcpu` by KVM_XEN_HVM_EVTCHN_SEND. Only when {@link sendsEvents}. */
  send(port: EvtchnPort, vcpu: VcpuId): void;
  /**
   * Ends the polls that vCPUs sleep in inside KVM, which knows nothing of pending bits that others set; to a guest that is
   * a wake-up without an event. Only when {@link sendsEvents}.
   */
  wakePolls(): void;
  /** Offloads (or, with undefined, takes back) what a guest's EVTCHNOP_send on `port` does. */
  route(port: EvtchnPort, route: EvtchnRoute | undefined): void;
  /** Whether KVM sets pending bits and upcalls by itself, and polls: not while the guest uses FIFO channels. */
  setDelivery(enabled: boolean): void;
  /** Tells KVM where shared_info is now: undefined when nowhere. "page", our page of it: with {@link findsSharedInfo}. */
  setSharedInfo(place: Gfn | "page" | undefined): void;
  /** Tells KVM which layout, 32 or 64 bit, shared_info has. */
  setLongMode(longMode: boolean): void;
  /** HVM_PARAM_CALLBACK_IRQ's vector, or 0 for none. */
  setCallbackVector(vector: Vector): void;
  /** VMASST_TYPE_runstate_update_flag: whether KVM marks its updates of runstate areas. False when it cannot. */
  setRunstateUpdateFlag(enabled: boolean): boolean;
  /** VIRQ_TIMER's port of `vcpu` (0: none) is kept in shared state; the vCPU's thread pushes it on `syncXen`. */
}

export interface XenHost {
  readonly log: Log;
  /** Set when KVM has Xen support and the `kernel` transport is in use. */
  readonly kernel: XenKernel | undefined;
  /** Xen system time: nanoseconds of the guest's clock, the one its vcpu_time_info gives. */
  systemTimeNs(): number;
  /** Nanoseconds since 1970 (UTC) at this moment, to within a microsecond: what the guest's wallclock starts from. */
  wallTimeNs(): number;
  /** Sets `requests` (VcpuRequest bits) in the vCPU's request word and makes its thread leave KVM_RUN to look at them. */
  request(vcpu: VcpuId, requests: number): void;
  /** `vcpu` has come up or gone down: its thread follows. */
  vcpuPowerChanged(vcpu: VcpuId): void;
  /**
   * The thread of vCPU `caller` waits until that of `vcpu` has taken note of INIT and SIPI, and brought KVM to the state
   * that is wanted. For a short time only: a thread that does not answer is in the middle of something.
   */
  settleVcpu(caller: VcpuId, vcpu: VcpuId): void;
  /** A non-maskable interrupt for `vcpu`. */
  injectNmi(vcpu: VcpuId): void;
  /** Edge interrupt `vector` to the LAPIC of `vcpu` (needs EOI). False when that is off, and nothing of it is kept. */
  injectVector(vcpu: VcpuId, vector: Vector): boolean;
  /** Level of the callback's interrupt line: a GSI, ORed with what devices drive on it. */
  setCallbackGsi(gsi: number, level: 0 | 1): void;
  /** GSI to which pin (0 = INTA) of PCI slot `device` is routed now; undefined when unrouted. */
  pciIntxGsi(device: number, pin: number): number | undefined;
  /**
   * Says that `port`, which leads to a back end of ours, was notified by the guest. `owner` is what the back end gave when
   * it bound the port (`BackendOwner`): it names the thread to wake. Coalesces; never blocks.
   */
  signalBackend(port: EvtchnPort, owner: number): void;
  /**
   * Makes overlay page `page` (an index into the overlay pages, `xen/overlays.ts`) appear at `frame`, over RAM or not;
   * false when the host cannot. {@link unmapOverlay} gives the RAM behind it back.
   */
  mapOverlay(page: number, frame: Gfn): boolean;
  unmapOverlay(page: number, frame: Gfn): void;
  /** Gives the memory behind `count` RAM frames back: they read as zeros, and cost nothing until they are used again. */
  discardFrames(first: Gfn, count: number): void;
  /** Every vCPU forgets all translations of addresses, before this returns. Called by a vCPU's thread, in a hypercall. */
  flushTlbs(): void;
  /** Arms the singleshot timer of `vcpu` for `deadlineNs` of system time; Infinity disarms. Fires `Timers.expire`. */
  armTimer(vcpu: VcpuId, deadlineNs: number): void;
  /** The guest bound `pirq`, which it got for messages, to a port, or let go of it. Called without locks held. */
  messagePirqChanged(pirq: number, bound: boolean): void;
  /** Whether a PCI function's registers hold the message that stands for `pirq`. */
  messagePirqHeld(pirq: number): boolean;
  /** Level of the emulated line `gsi` as devices drive it now (for PHYSDEVOP_eoi). */
  gsiLevel(gsi: number): 0 | 1;
  /**
   * Sleeps the calling vCPU's thread until `wakePoll(vcpu)`, which may have come since the last sleep, or the deadline
   * (system time). May return early: look again. False, at once, when the thread is wanted for something else.
   */
  pollWait(vcpu: VcpuId, deadlineNs: number): boolean;
  wakePoll(vcpu: VcpuId): void;
  /** Gives up the rest of the calling thread's time slice. */
  yieldThread(): void;
  /** The guest asked to end. The calling vCPU goes on until the machine stops it. */
  shutdown(vcpu: VcpuId, reason: ShutdownReason): void;
  /** Bytes for the hypervisor console: CONSOLEIO_write and the platform device's log port. */
  consoleWrite(data: Uint8Array): void;
  /** Guest-physical address where the per-vCPU time page should be kept current, or undefined to stop (userspace only). */
  setVcpuTime(vcpu: VcpuId, at: Gpa | undefined): void;
}
