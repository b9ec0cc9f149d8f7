/**
 * Pushes a vCPU's Xen attributes to KVM, from the vCPU's own thread: where its vcpu_info, time and runstate areas are, its
 * upcall vector, its timer's port.
 *
 * On the userspace transport KVM still keeps the guest's clock: its own kvmclock page has the layout of Xen's
 * vcpu_time_info (pvclock ABI), so the kvmclock MSR is pointed at it and no timekeeping of ours is needed.
 */
import type { VcpuId } from "../shared/brand.js";
import { KVM_XEN_INVALID_GPA, KvmXenVcpuAttr } from "./host/kvm-abi.js";
import type { Vcpu } from "./host/vcpu.js";
import type { MachineThread, XenParts } from "./thread.js";

/** asm/kvm_para.h; bit 0 of the value enables it. */
const MSR_KVM_SYSTEM_TIME_NEW = 0x4b56_4d01;
/** Offset of `time` in struct vcpu_info, and the size of struct vcpu_time_info; xen.h. */
const VCPU_INFO_TIME = 32;
const TIME_INFO_BYTES = 32;

export class XenVcpuSync {
  readonly #thread: MachineThread;
  readonly #index: VcpuId;
  readonly #vcpu: Vcpu;
  readonly #xen: XenParts;
  readonly #kernel: boolean;
  /** What KVM has been told, by attribute; so that nothing is told twice. */
  readonly #told = new Map<number, number>();
  /** Userspace: the copy of the time page that the guest registered, and the version last copied. */
  #timeCopy = -1;
  #timeVersion = -1;
  readonly #time = new Uint8Array(TIME_INFO_BYTES);

  constructor(thread: MachineThread, index: VcpuId, vcpu: Vcpu, xen: XenParts) {
    this.#thread = thread;
    this.#index = index;
    this.#vcpu = vcpu;
    this.#xen = xen;
    this.#kernel = thread.parts.transport.kind === "kernel";
  }

  reset(): void {
    this.#told.clear();
    this.#timeCopy = -1;
    this.push();
  }

  push(): void {
    if (this.#kernel) this.#pushToKernel();
    else this.#pushClock();
  }

  /** Userspace, after each exit: carries the clock's page over to the copy that the guest asked for. */
  refreshTime(): void {
    if (this.#timeCopy < 0) return;
    const info = this.#xen.domain.vcpuInfoGpa(this.#index);
    const region = this.#thread.memory.region(info + VCPU_INFO_TIME, TIME_INFO_BYTES);
    if (region === undefined) return;
    const version = region.view.getUint32(info + VCPU_INFO_TIME - region.gpa, true);
    if (version === this.#timeVersion) return;
    this.#timeVersion = version;
    this.#thread.memory.read(info + VCPU_INFO_TIME, this.#time);
    this.#thread.memory.write(this.#timeCopy, this.#time);
  }

  #pushToKernel(): void {
    const { domain } = this.#xen;
    const index = this.#index;
    this.#tell(KvmXenVcpuAttr.VCPU_ID, index);
    this.#tell(KvmXenVcpuAttr.VCPU_INFO, domain.vcpuInfoGpa(index));
    this.#tell(KvmXenVcpuAttr.VCPU_TIME_INFO, domain.vcpuTimeGpa(index));
    this.#tell(KvmXenVcpuAttr.RUNSTATE_ADDR, domain.runstateGpa(index));
    this.#tell(KvmXenVcpuAttr.UPCALL_VECTOR, domain.upcallVector(index));
    const port = domain.kernelTimerPort(index);
    if (this.#changed(KvmXenVcpuAttr.TIMER, port)) this.#vcpu.xenSetTimer(port, 0);
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
    this.#timeCopy = domain.vcpuTimeGpa(this.#index);
    this.#timeVersion = -1;
  }
}
