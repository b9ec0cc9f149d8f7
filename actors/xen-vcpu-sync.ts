/**
 * Pushes a vCPU's Xen attributes to KVM, from the vCPU's own thread: where its vcpu_info, time and runstate areas are, its
 * upcall vector, its timer's port.
 *
 * On the userspace transport KVM still keeps the guest's clock: its own kvmclock page has the layout of Xen's
 * vcpu_time_info (pvclock ABI), so the kvmclock MSR is pointed at it and no timekeeping of ours is needed.
 */
import type { VcpuId } from "../shared/brand.js";
import { VCPU_INFO_TIME } from "../xen/abi/shared-info.js";
import {
  KVM_XEN_INVALID_GPA,
  KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA,
  KvmXenFlag,
  KvmXenVcpuAttr,
} from "./host/kvm-abi.js";
import type { Vcpu } from "./host/vcpu.js";
import { sharedInfoHva } from "./machine-memory.js";
import type { MachineThread, XenParts } from "./thread.js";

/** asm/kvm_para.h; bit 0 of the value enables it. */
const MSR_KVM_SYSTEM_TIME_NEW = 0x4b56_4d01;

export class XenVcpuSync {
  readonly #thread: MachineThread;
  readonly #index: VcpuId;
  readonly #vcpu: Vcpu;
  readonly #xen: XenParts;
  readonly #kernel: boolean;
  /** Those flags of KVM's Xen support that the machine uses. */
  readonly #flags: number;
  /** What KVM has been told, by attribute; so that nothing is told twice. */
  readonly #told = new Map<number, number>();
  /** Userspace: the guest has registered a second area for the time; version of the clock's page when last copied there. */
  #copiesTime = false;
  #timeVersion = -1;
  /** How far pauses had set the guest's clock back, in ns, when this vCPU last ran. */
  #movedNs = 0;

  constructor(thread: MachineThread, index: VcpuId, vcpu: Vcpu, xen: XenParts) {
    this.#thread = thread;
    this.#index = index;
    this.#vcpu = vcpu;
    this.#xen = xen;
    const { transport } = thread.parts;
    this.#kernel = transport.kind === "kernel";
    this.#flags = transport.kind === "kernel" ? transport.flags : 0;
  }

  reset(): void {
    this.#told.clear();
    this.#copiesTime = false;
    this.push();
  }

  push(): void {
    if (this.#kernel) this.#pushToKernel();
    else this.#pushClock();
  }

  /** Userspace: INIT has switched kvmclock off, perhaps before it ever wrote the page that was registered for this vCPU. */
  renewClock(): void {
    this.#told.delete(MSR_KVM_SYSTEM_TIME_NEW);
    this.push();
  }

  /** Userspace, after each exit: carries the clock's page over to the area that the guest asked for. */
  refreshTime(): void {
    if (!this.#copiesTime) return;
    const { domain } = this.#xen;
    const info = domain.domain.vcpuInfo(this.#index);
    const version = info?.view.getUint32(domain.domain.vcpuInfoOffset + VCPU_INFO_TIME, true);
    if (version === undefined || version === this.#timeVersion) return;
    this.#timeVersion = version;
    domain.refreshTimeArea(this.#index);
  }

  /** The vCPU is about to run, perhaps after a pause, over which the guest's clock has stood. */
  resume(): void {
    const { clock } = this.#thread;
    if (clock.guestMovedNs === this.#movedNs) return;
    if (!this.#kernel) this.#xen.domain.moveTimeBack(this.#index, clock.guestMovedNs - this.#movedNs);
    this.#movedNs = clock.guestMovedNs;
    if (this.#index === 0) this.#xen.domain.renewWallclock();
  }

  /**
   * The vCPU is at rest. KVM's timer goes by the host's clock, which no pause stops: it is ours from here on, until it has
   * fired. (KVM would set it by a clock that it does not renew before the vCPU runs again.)
   */
  rest(): void {
    if (!this.#uses(KvmXenFlag.EVTCHN_SEND)) return;
    const deadline = this.#vcpu.xenTimerDeadline();
    if (deadline === 0) return;
    this.#tellTimer(0);
    this.#xen.domain.timers.setSingleshot(this.#index, deadline);
    this.push();
  }

  #pushToKernel(): void {
    const { domain } = this.#xen;
    const index = this.#index;
    this.#tellVcpuInfo();
    this.#tell(KvmXenVcpuAttr.VCPU_TIME_INFO, domain.vcpuTimeGpa(index));
    if (this.#uses(KvmXenFlag.RUNSTATE)) this.#tell(KvmXenVcpuAttr.RUNSTATE_ADDR, domain.runstateGpa(index));
    if (!this.#uses(KvmXenFlag.EVTCHN_SEND)) return;
    this.#tell(KvmXenVcpuAttr.VCPU_ID, index);
    this.#tell(KvmXenVcpuAttr.UPCALL_VECTOR, domain.upcallVector(index));
    this.#tellTimer(domain.kernelTimerPort(index));
  }

  /** Stops what KVM has armed. */
  #tellTimer(port: number): void {
    if (this.#changed(KvmXenVcpuAttr.TIMER, port)) this.#vcpu.xenSetTimer(port, 0);
  }

  #tellVcpuInfo(): void {
    const { domain } = this.#xen;
    const inPage = this.#uses(KvmXenFlag.SHARED_INFO_HVA) ? domain.vcpuInfoInPage(this.#index) : -1;
    if (inPage < 0) this.#tell(KvmXenVcpuAttr.VCPU_INFO, domain.vcpuInfoGpa(this.#index));
    else this.#tell(KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA, sharedInfoHva(this.#thread.parts.memory) + inPage);
  }

  #uses(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  #tell(attribute: number, value: number): void {
    if (!this.#changed(attribute, value)) return;
    const result = this.#vcpu.xenSetAttr(attribute, value < 0 ? KVM_XEN_INVALID_GPA : value);
    if (result < 0) this.#thread.log.debug("KVM refused a Xen attribute", { vcpu: this.#index, attribute, result });
  }

  #changed(attribute: number, value: number): boolean {
    if (this.#told.get(attribute) === value) return false;
    this.#told.set(attribute, value);
    return true;
  }

  #pushClock(): void {
    const { domain } = this.#xen;
    const info = domain.vcpuInfoGpa(this.#index);
    if (this.#changed(MSR_KVM_SYSTEM_TIME_NEW, info)) {
      this.#vcpu.setMsr(MSR_KVM_SYSTEM_TIME_NEW, info < 0 ? 0n : BigInt(info + VCPU_INFO_TIME) | 1n);
    }
    this.#copiesTime = domain.vcpuTimeGpa(this.#index) >= 0;
    this.#timeVersion = -1;
  }
}
