/**
 * Brings KVM's vCPU and its state in the domain together, on the vCPU's own thread: INIT and SIPI, which KVM takes itself,
 * change the state; VCPUOP_initialise, up and down change KVM's vCPU.
 *
 * A vCPU that is down waits in KVM_RUN, as one that was never started: KVM's state for that keeps its registers. No
 * interrupt makes it run then, and an INIT makes of it what INIT makes of any. `xen/vcpu-states.ts` has the states.
 */
import type { VcpuId } from "../shared/brand.js";
import { RunstateKind } from "../xen/abi/vcpu.js";
import { decodeContext } from "../xen/vcpu-context.js";
import type { VcpuContext } from "../xen/vcpu-context.js";
import type { XenDomain } from "../xen/xen-domain.js";
import { kvmSegment } from "./host/kvm-abi.js";
import { MpState } from "./host/vcpu.js";
import type { Vcpu } from "./host/vcpu.js";

const REFUSED = "KVM refuses the registers that VCPUOP_initialise was given";
/** RFLAGS.IF. */
const INTERRUPTS = 1n << 9n;
const SEGMENTS = ["cs", "ds", "ss", "es", "tr"] as const;

export interface VcpuPowerHost {
  /** Lets KVM finish the instruction that the vCPU is in the middle of. */
  finishExit(): void;
  /** INIT has reset the vCPU, or it starts with new registers. */
  renewed(): void;
}

export class VcpuPower {
  readonly #index: VcpuId;
  readonly #vcpu: Vcpu;
  readonly #domain: XenDomain;
  readonly #host: VcpuPowerHost;
  /** Parked: waits in KVM_RUN until VCPUOP_up. */
  #parked = false;
  /** KVM has taken an INIT that has been taken note of. */
  #waitsForSipi = false;
  /** It was halted when it went down. */
  #halted = false;

  constructor(index: VcpuId, parts: { readonly vcpu: Vcpu; readonly domain: XenDomain; readonly host: VcpuPowerHost }) {
    this.#index = index;
    this.#vcpu = parts.vcpu;
    this.#domain = parts.domain;
    this.#host = parts.host;
  }

  /** The vCPU has been put into its power-on state. */
  reset(): void {
    this.#parked = false;
    this.#halted = false;
    this.#waitsForSipi = false;
  }

  /** Down: it waits in KVM_RUN, and must not be given interrupts. */
  get parked(): boolean {
    return this.#parked;
  }

  /** Follows what was asked, and takes note of what KVM did; the reason when the guest cannot go on. */
  settle(): string | undefined {
    const { vcpuStates } = this.#domain;
    const state = this.#vcpu.getMpState();
    // A SIPI and the next INIT may both have come since the last look, and its hypercalls have told of what was between
    const sameInit = this.#waitsForSipi && !vcpuStates.hasStarted(this.#index);
    if (this.#parked ? state !== MpState.uninitialized : state === MpState.initReceived && !sameInit) {
      this.#takeInit();
    }
    this.#waitsForSipi = state === MpState.initReceived;
    if (state === MpState.runnable || state === MpState.halted) this.#domain.vcpuStarted(this.#index);
    vcpuStates.noteLastHalt(this.#index, state === MpState.halted && !this.#takesInterrupts());
    const context = vcpuStates.takeContext(this.#index);
    if (context !== undefined && !this.#load(decodeContext(context))) return REFUSED;
    if (vcpuStates.isDown(this.#index)) this.#park(state);
    else if (this.#parked && vcpuStates.isUp(this.#index)) this.#unpark();
    return undefined;
  }

  #takesInterrupts(): boolean {
    return (this.#vcpu.fetchRegs().rflags & INTERRUPTS) !== 0n;
  }

  #takeInit(): void {
    this.#parked = false;
    this.#halted = false;
    this.#domain.vcpuStates.noteInit(this.#index);
    this.#domain.runstate.change(this.#index, RunstateKind.offline);
    this.#host.renewed();
  }

  #park(state: number): void {
    if (this.#parked) return;
    this.#host.finishExit();
    this.#halted = state === MpState.halted;
    this.#vcpu.setMpState(MpState.uninitialized);
    this.#parked = true;
    this.#domain.runstate.change(this.#index, RunstateKind.offline);
  }

  #unpark(): void {
    this.#vcpu.setMpState(this.#halted ? MpState.halted : MpState.runnable);
    this.#parked = false;
    this.#halted = false;
    this.#domain.runstate.change(this.#index, RunstateKind.running);
  }

  /** False when KVM does not take the registers. */
  #load(context: VcpuContext | undefined): boolean {
    if (context === undefined) return false;
    const sregs = this.#vcpu.fetchSregs();
    for (const name of SEGMENTS) {
      const field = sregs[name];
      Object.assign(kvmSegment.view(field.buffer as SharedArrayBuffer).at(field.byteOffset), context[name], {
        selector: 0,
      });
    }
    sregs.cr0 = context.cr0;
    sregs.cr3 = context.cr3;
    sregs.cr4 = context.cr4;
    sregs.efer = context.efer;
    if (!this.#vcpu.tryStoreSregs()) return false;
    Object.assign(this.#vcpu.fetchRegs(), context.registers);
    this.#vcpu.storeRegs();
    this.#host.renewed();
    return true;
  }
}
