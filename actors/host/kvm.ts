/**
 * Typed KVM: the system, a VM and a vCPU, each a thin object over a file descriptor.
 *
 * Arguments are built in a `Scratch` of the calling thread, in shared memory, and passed by address. A VM object may be
 * made in any thread from the descriptor; vCPU ioctls belong to the vCPU's own thread. [KVM] as in kvm-abi.ts.
 */
import { openSync } from "node:fs";
import { VmmError } from "../../shared/errors.js";
import * as abi from "./kvm-abi.js";
import { KVM, KvmCap } from "./kvm-abi.js";
import type { KvmCapName, KvmRequest } from "./kvm-abi.js";
import { checked, ERRNO, SYS, syscallError } from "./libc.js";
import type { Libc } from "./libc.js";
import type { HostMemory } from "./host-memory.js";

/** A thread's own piece of shared memory, for arguments of system calls. */
export class Scratch {
  readonly memory: HostMemory;
  readonly #end: number;
  #next: number;

  constructor(memory: HostMemory, offset: number, length: number) {
    this.memory = memory;
    this.#next = offset;
    this.#end = offset + length;
  }

  /** Offset of `size` bytes, for as long as the thread lives. */
  take(size: number, alignment = 8): number {
    const offset = Math.ceil(this.#next / alignment) * alignment;
    if (offset + size > this.#end) throw new RangeError(`Cannot take ${size} bytes of scratch memory: none are left`);
    this.#next = offset + size;
    return offset;
  }
}

/** A profiler signals every millisecond or so, and making a VM may take longer. */
const IOCTL_TRIES = 100;

export class KvmDevice {
  readonly #libc: Libc;
  readonly fd: number;

  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.fd = fd;
  }

  /** The result, or -errno. A call that a signal interrupted is made again, as often as a profiler might interrupt it. */
  ioctl(request: KvmRequest, argument: number): number {
    let result: number = -ERRNO.EINTR;
    for (let tries = 0; result === -ERRNO.EINTR && tries < IOCTL_TRIES; tries++) {
      result = this.#libc.syscall(SYS.ioctl, this.fd, KVM[request], argument);
    }
    return result;
  }

  /** @throws VmmError HOST_SYSCALL saying that we could not `what` */
  must(request: KvmRequest, argument: number, what: string): number {
    return checked(`KVM_${request}`, this.ioctl(request, argument), what);
  }

  /** What KVM_CHECK_EXTENSION says: 0 where the host lacks it. */
  capability(name: KvmCapName): number {
    return this.must("CHECK_EXTENSION", KvmCap[name], `ask KVM for KVM_CAP_${name}`);
  }

  close(): void {
    this.#libc.syscall(SYS.close, this.fd);
  }
}

/** What every machine needs of the host, and since when Linux has it. */
const REQUIRED: readonly (readonly [KvmCapName, string])[] = [
  ["USER_MEMORY", "2.6.22"],
  ["SPLIT_IRQCHIP", "4.4"],
  ["IMMEDIATE_EXIT", "4.11"],
  ["SIGNAL_MSI", "3.5"],
  ["SYNC_REGS", "4.17"],
  ["VCPU_EVENTS", "2.6.33"],
  ["X86_USER_SPACE_MSR", "5.10"],
  ["X86_MSR_FILTER", "5.10"],
];

/**
 * Opens /dev/kvm and checks that it has what we need.
 *
 * @throws VmmError HOST_UNSUPPORTED with one line that says what is missing
 */
export function openKvm(libc: Libc, path = "/dev/kvm"): KvmDevice {
  const kvm = new KvmDevice(libc, openDevice(path));
  try {
    const version = kvm.ioctl("GET_API_VERSION", 0);
    if (version < 0 && version !== -ERRNO.ENOTTY) checked("KVM_GET_API_VERSION", version, "ask KVM for its version");
    if (version !== abi.KVM_API_VERSION) {
      throw new VmmError("HOST_UNSUPPORTED", `Cannot use this KVM: API version ${version}, not ${abi.KVM_API_VERSION}`);
    }
    for (const [name, since] of REQUIRED) {
      if (kvm.capability(name) === 0) {
        throw new VmmError(
          "HOST_UNSUPPORTED",
          `Cannot use this KVM: KVM_CAP_${name} is missing (Linux ${since} has it)`,
        );
      }
    }
  } catch (error) {
    kvm.close();
    throw error;
  }
  return kvm;
}

function openDevice(path: string): number {
  try {
    return openSync(path, "r+");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new VmmError("HOST_UNSUPPORTED", `Cannot open ${path}: ${kvmHint(code)}`, { path, code }, { cause });
  }
}

function kvmHint(code: string): string {
  switch (code) {
    case "ENOENT":
      return "it does not exist; load kvm_intel or kvm_amd and enable virtualization in the firmware";
    case "EACCES":
    case "EPERM":
      return "permission denied; run as root or join the group kvm";
    case "ENODEV":
    case "ENXIO":
      return "the processor or the kernel has no virtualization";
    case "EBUSY":
      return "another hypervisor has the processor's virtualization";
    default:
      return code;
  }
}

/** Number of IOAPIC pins whose EOIs KVM reports (KVM_CAP_SPLIT_IRQCHIP). */
export const IOAPIC_PINS = 24;

/** A memory slot: `size` bytes of the process's memory at `hva`, which the guest has at `gpa`. */
export interface SlotRegion {
  readonly slot: number;
  readonly gpa: number;
  readonly size: number;
  readonly hva: number;
  /** The guest's writes exit as MMIO. */
  readonly readOnly?: boolean;
}

/** What KVM answers for a message that no local APIC has (-1 of its own, which reads as EPERM), or that is malformed. */
function isGuestsMessage(result: number): boolean {
  return result === -ERRNO.EPERM || result === -ERRNO.EINVAL;
}

export class Vm extends KvmDevice {
  readonly #fast: Libc["fast"];
  readonly #hva: number;
  readonly #buffer: SharedArrayBuffer;
  readonly #msi;
  readonly #msiAt: number;
  readonly #clock;
  readonly #clockAt: number;
  readonly #argument: number;

  constructor(libc: Libc, fd: number, scratch: Scratch) {
    super(libc, fd);
    this.#fast = libc.fast;
    this.#hva = scratch.memory.hva;
    this.#buffer = scratch.memory.buffer;
    this.#msiAt = scratch.take(abi.kvmMsi.size);
    this.#msi = abi.kvmMsi.view(this.#buffer).at(this.#msiAt);
    this.#clockAt = scratch.take(abi.kvmClockData.size);
    this.#clock = abi.kvmClockData.view(this.#buffer).at(this.#clockAt);
    this.#argument = scratch.take(2048);
    this.#msi.flags = 0;
  }

  static create(libc: Libc, kvm: KvmDevice, scratch: Scratch): Vm {
    return new Vm(libc, kvm.must("CREATE_VM", 0, "create a virtual machine"), scratch);
  }

  enableCap(name: KvmCapName, arg0: number): void {
    const view = abi.kvmEnableCap.view(this.#buffer).at(this.#zeroed(abi.kvmEnableCap.size));
    view.cap = KvmCap[name];
    view.arg0 = arg0;
    this.must("ENABLE_CAP", this.#hva + this.#argument, `enable KVM_CAP_${name}`);
  }

  /** Sets a memory slot up; size 0 deletes it. Returns 0 or -errno. */
  setMemoryRegion(region: SlotRegion): number {
    const view = abi.kvmUserspaceMemoryRegion.view(this.#buffer).at(this.#zeroed(abi.kvmUserspaceMemoryRegion.size));
    view.slot = region.slot;
    view.flags = region.readOnly === true ? abi.KVM_MEM_READONLY : 0;
    view.guestPhysAddr = region.gpa;
    view.memorySize = region.size;
    view.userspaceAddr = region.hva;
    return this.ioctl("SET_USER_MEMORY_REGION", this.#hva + this.#argument);
  }

  /** KVM_SET_IDENTITY_MAP_ADDR takes a pointer to the address. */
  setIdentityMap(guestAddress: number): void {
    new DataView(this.#buffer).setBigUint64(this.#zeroed(8), BigInt(guestAddress), true);
    this.must("SET_IDENTITY_MAP_ADDR", this.#hva + this.#argument, "place KVM's identity map");
  }

  /**
   * Sends an MSI; from any thread. True when a local APIC took it: the guest may block it, or send it nowhere.
   *
   * @throws VmmError HOST_SYSCALL when KVM failed, and the interrupt is lost
   */
  signalMsi(addressLo: number, addressHi: number, data: number): boolean {
    this.#msi.addressLo = addressLo;
    this.#msi.addressHi = addressHi;
    this.#msi.data = data;
    for (;;) {
      const result = this.#fast(SYS.ioctl, this.fd, KVM.SIGNAL_MSI, this.#hva + this.#msiAt);
      if (result >= 0) return result > 0;
      if (isGuestsMessage(result)) return false;
      if (result !== -ERRNO.EINTR) throw syscallError("KVM_SIGNAL_MSI", result, "interrupt the guest");
    }
  }

  /**
   * From now on a guest's 16-bit write at guest-physical `address` signals the eventfd instead of exiting, or no more.
   * Returns 0 or -errno (-EEXIST: somebody watches there already).
   */
  watchWrites(address: number, fd: number, watch: boolean): number {
    const view = abi.kvmIoeventfd.view(this.#buffer).at(this.#zeroed(abi.kvmIoeventfd.size));
    view.addr = address;
    view.len = 2;
    view.fd = fd;
    view.flags = watch ? 0 : abi.KVM_IOEVENTFD_FLAG_DEASSIGN;
    return this.ioctl("IOEVENTFD", this.#hva + this.#argument);
  }

  /** From now on a guest's writes to these ports may wait in the ring of coalesced-writes.ts. Returns 0 or -errno. */
  coalesceWrites(port: number, ports: number): number {
    const view = abi.kvmCoalescedMmioZone.view(this.#buffer).at(this.#zeroed(abi.kvmCoalescedMmioZone.size));
    view.addr = port;
    view.size = ports;
    view.pio = 1;
    return this.ioctl("REGISTER_COALESCED_MMIO", this.#hva + this.#argument);
  }

  /** Whether KVM has given this virtual machine up: it answers whatever is asked of it with EIO from then on. */
  get givenUp(): boolean {
    return this.ioctl("CHECK_EXTENSION", KvmCap.XEN_HVM) === -ERRNO.EIO;
  }

  /** The guest's kvmclock, in nanoseconds. */
  clockNs(): number {
    this.must("GET_CLOCK", this.#hva + this.#clockAt, "read the guest's clock");
    return this.#clock.clock;
  }

  setClockNs(clock: number): void {
    const view = abi.kvmClockData.view(this.#buffer).at(this.#zeroed(abi.kvmClockData.size));
    view.clock = clock;
    this.must("SET_CLOCK", this.#hva + this.#argument, "set the guest's clock");
  }

  /**
   * Tells KVM the MSI behind each IOAPIC pin, so that it reports the EOIs of level-triggered ones; `routes` come as
   * address-low, address-high, data triples, one for each pin, zero data meaning none.
   */
  setIoapicRoutes(routes: Uint32Array): void {
    const size = abi.KVM_IRQ_ROUTING_HEADER + IOAPIC_PINS * abi.kvmIrqRoutingMsi.size;
    const at = this.#zeroed(size);
    const view = abi.kvmIrqRoutingMsi.view(this.#buffer);
    let count = 0;
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const data = routes[pin * 3 + 2] ?? 0;
      if (data === 0) continue;
      view.at(at + abi.KVM_IRQ_ROUTING_HEADER + count++ * abi.kvmIrqRoutingMsi.size);
      view.gsi = pin;
      view.type = abi.KVM_IRQ_ROUTING_MSI;
      view.addressLo = routes[pin * 3] ?? 0;
      view.addressHi = routes[pin * 3 + 1] ?? 0;
      view.data = data;
    }
    new DataView(this.#buffer).setUint32(at, count, true);
    this.must("SET_GSI_ROUTING", this.#hva + at, "set interrupt routes");
  }

  /**
   * Makes guest writes to these MSRs, and reads of `read`, exit to us (KVM_EXIT_X86_WRMSR, _RDMSR). All others stay
   * KVM's.
   */
  filterMsrs(written: readonly number[], read: number): void {
    const bitmap = this.#argument + abi.KVM_MSR_FILTER.size;
    const at = this.#zeroed(abi.KVM_MSR_FILTER.size + 8);
    const range = abi.kvmMsrFilterRange.view(this.#buffer);
    // Bit 0 clear: denied to KVM, so it comes to us. Flags 0 of the filter: everything outside the ranges is allowed.
    for (const [i, index] of written.entries()) {
      range.at(at + abi.KVM_MSR_FILTER.ranges + i * abi.kvmMsrFilterRange.size);
      range.flags = abi.KVM_MSR_FILTER.write | (index === read ? abi.KVM_MSR_FILTER.read : 0);
      range.nmsrs = 1;
      range.base = index;
      range.bitmap = this.#hva + bitmap;
    }
    this.must("X86_SET_MSR_FILTER", this.#hva + at, "filter MSRs");
  }

  xenHvmConfig(flags: number, msr: number): void {
    const view = abi.kvmXenHvmConfig.view(this.#buffer).at(this.#zeroed(abi.kvmXenHvmConfig.size));
    view.flags = flags;
    view.msr = msr;
    this.must("XEN_HVM_CONFIG", this.#hva + this.#argument, "turn on KVM's Xen support");
  }

  /** Sets a VM-wide Xen attribute; 0 or -errno. */
  xenSetAttr(type: number, value: number): number {
    const view = abi.kvmXenHvmAttr.view(this.#buffer).at(this.#zeroed(abi.kvmXenHvmAttr.size));
    view.type = type;
    view.value = value;
    return this.#fast(SYS.ioctl, this.fd, KVM.XEN_HVM_SET_ATTR, this.#hva + this.#argument);
  }

  /** Offloads what a guest's EVTCHNOP_send on a port does; 0 or -errno. */
  xenRouteEvtchn(route: {
    readonly sendPort: number;
    readonly type: number;
    readonly flags: number;
    readonly port: number;
    readonly vcpuOrFd: number;
  }): number {
    const view = abi.kvmXenHvmAttrEvtchn.view(this.#buffer).at(this.#zeroed(abi.kvmXenHvmAttrEvtchn.size));
    view.type = abi.KvmXenAttr.EVTCHN;
    view.sendPort = route.sendPort;
    view.evtchnType = route.type;
    view.flags = route.flags;
    view.port = route.port;
    view.vcpuOrFd = route.vcpuOrFd;
    view.priority = route.port === 0 ? 0 : abi.KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL;
    return this.#fast(SYS.ioctl, this.fd, KVM.XEN_HVM_SET_ATTR, this.#hva + this.#argument);
  }

  /** Raises an event channel; `apicId` names the vCPU. 0 or -errno (-ENOTCONN: masked). */
  xenSendEvtchn(port: number, apicId: number): number {
    const view = abi.kvmXenEvtchn.view(this.#buffer).at(this.#argument);
    view.port = port;
    view.vcpu = apicId;
    view.priority = abi.KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL;
    return this.#fast(SYS.ioctl, this.fd, KVM.XEN_HVM_EVTCHN_SEND, this.#hva + this.#argument);
  }

  #zeroed(size: number): number {
    new Uint8Array(this.#buffer, this.#argument, size).fill(0);
    return this.#argument;
  }
}
