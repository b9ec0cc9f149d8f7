/**
 * What a machine takes from the host, in the order in which it must be given back: descriptors, memory, the KVM objects.
 * Made in the machine's own thread, before any worker starts.
 */
import { closeSync } from "node:fs";
import { PAGE_SIZE } from "../shared/brand.js";
import type { ResolvedConfig } from "../shared/config.js";
import { VmmError } from "../shared/errors.js";
import { KVM_IDENTITY_MAP, KVM_TSS, XEN_SPECIAL_BASE, XEN_SPECIAL_PAGES } from "../shared/layout.js";
import { overlayPages, xenArenaBytes } from "../xen/domain-config.js";
import { apicIdOf } from "./cpuid.js";
import { xenConfig } from "./guest-layout.js";
import { createEventfd } from "./host/eventfd.js";
import { allocate, mapAnonymous, mapFile } from "./host/host-memory.js";
import { kvmCpuidEntry, KVM_CPUID2_HEADER, KvmXenAttr, KvmXenFlag } from "./host/kvm-abi.js";
import { IOAPIC_PINS, KvmDevice, openKvm, Vm } from "./host/kvm.js";
import type { Scratch } from "./host/kvm.js";
import { checked, SYS } from "./host/libc.js";
import type { Libc } from "./host/libc.js";
import { openDisk } from "./host/open-file.js";
import type { OpenDisk } from "./host/open-file.js";
import type { CpuidEntry } from "./host/vcpu.js";
import { HYPERCALL_MSR } from "./hypercall-msr.js";
import { allocateRam, controlLayout, scratchOf, ThreadSlot } from "./machine-memory.js";
import type { MachineMemory } from "./machine-memory.js";
import { MemorySlot } from "./memory-slots.js";
import type { MachineParts, Transport } from "./protocol.js";

/** Flags without which KVM's Xen support is of no use to us. */
const KERNEL_TRANSPORT = KvmXenFlag.HYPERCALL_MSR | KvmXenFlag.INTERCEPT_HCALL | KvmXenFlag.SHARED_INFO;
/** KVM_MSR_EXIT_REASON_FILTER: accesses that the MSR filter denies exit to us. */
const MSR_EXIT_FILTER = 4;
const MAX_CPUID_ENTRIES = 256;
/** MFD_CLOEXEC */
const MFD_CLOEXEC = 1;

export class HostResources {
  readonly parts: MachineParts;
  readonly disks: readonly OpenDisk[];
  readonly vcpuFds: readonly number[];
  readonly supportedCpuid: readonly CpuidEntry[];
  readonly tscKhz: number;
  readonly vm: Vm;
  readonly scratch: Scratch;
  readonly #libc: Libc;
  /** In the order of their opening. */
  readonly #fds: number[];

  private constructor(fields: {
    readonly libc: Libc;
    readonly parts: MachineParts;
    readonly disks: readonly OpenDisk[];
    readonly vcpuFds: readonly number[];
    readonly supportedCpuid: readonly CpuidEntry[];
    readonly tscKhz: number;
    readonly vm: Vm;
    readonly scratch: Scratch;
    readonly fds: number[];
  }) {
    this.#libc = fields.libc;
    this.parts = fields.parts;
    this.disks = fields.disks;
    this.vcpuFds = fields.vcpuFds;
    this.supportedCpuid = fields.supportedCpuid;
    this.tscKhz = fields.tscKhz;
    this.vm = fields.vm;
    this.scratch = fields.scratch;
    this.#fds = fields.fds;
  }

  /** @throws VmmError saying what the host lacks or refused; nothing stays open then */
  static acquire(libc: Libc, config: ResolvedConfig): HostResources {
    const fds: number[] = [];
    try {
      return HostResources.#acquire(libc, config, fds);
    } catch (error) {
      for (const fd of fds.reverse()) closeSync(fd);
      throw error;
    }
  }

  static #acquire(libc: Libc, config: ResolvedConfig, fds: number[]): HostResources {
    const keep = (fd: number): number => {
      fds.push(fd);
      return fd;
    };
    const kvm = openKvm(libc);
    keep(kvm.fd);
    const memory = allocateMemory(libc, config, kvm.must("GET_VCPU_MMAP_SIZE", 0, "size a vCPU's run area"), keep);
    const scratch = scratchOf(memory, ThreadSlot.machine);
    const disks = config.disks.map((disk) => {
      const opened = openDisk(libc, scratch, disk);
      keep(opened.fd);
      return opened;
    });
    const transport = chooseTransport(kvm, config);
    const vm = Vm.create(libc, kvm, scratch);
    keep(vm.fd);
    mapMemory(vm, memory, config);
    vm.enableCap("SPLIT_IRQCHIP", IOAPIC_PINS);
    enableXen(vm, transport, config);
    const apicIds = Array.from({ length: config.vcpus.count }, (_, i) => apicIdOf(i, config.vcpus));
    const vcpuFds = apicIds.map((id) => keep(vm.must("CREATE_VCPU", id, `create vCPU ${id}`)));
    const owners = 1 + config.disks.length;
    const doorbells = Array.from({ length: owners }, () => keep(createEventfd(libc)));
    const kicks = Array.from({ length: owners }, () => keep(createEventfd(libc)));
    const rtcOffsetMs = rtcOffset(config.rtc.base);
    return new HostResources({
      libc,
      parts: { config, memory, vmFd: vm.fd, doorbells, kicks, transport, apicIds, rtcOffsetMs },
      disks,
      vcpuFds,
      supportedCpuid: supportedCpuid(kvm, scratch),
      tscKhz: Math.max(0, new KvmDevice(libc, vcpuFds[0] ?? -1).ioctl("GET_TSC_KHZ", 0)),
      vm,
      scratch,
      fds,
    });
  }

  get tscDeadline(): boolean {
    return this.vm.capability("TSC_DEADLINE_TIMER") !== 0;
  }

  /** Closes everything, last first. All workers are gone. */
  release(): void {
    for (const fd of this.#fds.splice(0).reverse()) closeSync(fd);
    // The mapped run areas and overlay pages would keep the VM alive until the buffers are collected: nothing stays mapped.
    const { control, ram } = this.parts.memory;
    for (const memory of [control, ...ram.map((block) => block.memory)]) {
      mapAnonymous(this.#libc, memory, 0, memory.buffer.byteLength);
    }
  }
}

function allocateMemory(
  libc: Libc,
  config: ResolvedConfig,
  runBytes: number,
  keep: (fd: number) => number,
): MachineMemory {
  const xen = config.accel.xenVersion === 0 ? undefined : xenConfig(config);
  const layout = controlLayout({
    vcpus: config.vcpus.count,
    disks: config.disks.length,
    runBytes,
    xenBytes: xen === undefined ? 0 : xenArenaBytes(xen),
    overlayPages: xen === undefined ? 0 : overlayPages(xen),
  });
  const control = allocate(libc, layout.total);
  const ram = allocateRam(libc, config.memoryBytes);
  const memory = { control, layout, ram, overlayFd: -1 };
  if (layout.overlayPages === 0) return memory;
  return { ...memory, overlayFd: keep(overlayFile(libc, memory)) };
}

/** The overlay pages' file, mapped at its permanent place: it can appear in guest RAM a second time. */
function overlayFile(libc: Libc, memory: MachineMemory): number {
  const { control, layout } = memory;
  const name = Buffer.from(control.buffer, layout.scratch, 16);
  name.write("xen-overlays\0");
  const fd = checked(
    "memfd_create",
    libc.syscall(SYS.memfd_create, control.hva + layout.scratch, MFD_CLOEXEC),
    "create shared pages",
  );
  const length = layout.overlayPages * PAGE_SIZE;
  checked("ftruncate", libc.syscall(SYS.ftruncate, fd, length), "size the shared pages");
  mapFile(libc, control, { offset: layout.overlays, length, fd, fileOffset: 0, what: "map the shared pages" });
  return fd;
}

function mapMemory(vm: Vm, memory: MachineMemory, config: ResolvedConfig): void {
  memory.ram.forEach((block, i) => {
    const result = vm.setMemoryRegion(MemorySlot.ram(i), block.gpa, block.size, block.memory.hva);
    checked("KVM_SET_USER_MEMORY_REGION", result, `give the guest its RAM at 0x${block.gpa.toString(16)}`);
  });
  vm.setIdentityMap(KVM_IDENTITY_MAP);
  vm.must("SET_TSS_ADDR", KVM_TSS, "place KVM's TSS");
  if (config.accel.xenVersion === 0) return;
  const special = memory.control.hva + memory.layout.special;
  const result = vm.setMemoryRegion(MemorySlot.special, XEN_SPECIAL_BASE, XEN_SPECIAL_PAGES * PAGE_SIZE, special);
  checked("KVM_SET_USER_MEMORY_REGION", result, "give the guest Xen's special pages");
}

/** By capability, or as the configuration insists. */
function chooseTransport(kvm: KvmDevice, { accel }: ResolvedConfig): Transport {
  if (accel.xenVersion === 0) return { kind: "none" };
  const flags = kvm.capability("XEN_HVM");
  const able = (flags & KERNEL_TRANSPORT) === KERNEL_TRANSPORT;
  if (accel.transport === "kernel" && !able) {
    throw new VmmError(
      "HOST_UNSUPPORTED",
      `Cannot use xen-transport=kernel: this KVM has no Xen support (KVM_CAP_XEN_HVM is 0x${flags.toString(16)}; it needs Linux 5.12 with CONFIG_KVM_XEN)`,
      { flags },
    );
  }
  return able && accel.transport !== "userspace" ? { kind: "kernel", flags } : { kind: "userspace" };
}

function enableXen(vm: Vm, transport: Transport, config: ResolvedConfig): void {
  if (transport.kind === "userspace") {
    vm.enableCap("X86_USER_SPACE_MSR", MSR_EXIT_FILTER);
    vm.filterMsrWrites(HYPERCALL_MSR);
  } else if (transport.kind === "kernel") {
    const send = transport.flags & KvmXenFlag.EVTCHN_SEND;
    if (send !== 0) {
      checked(
        "KVM_XEN_HVM_SET_ATTR",
        vm.xenSetAttr(KvmXenAttr.XEN_VERSION, config.accel.xenVersion),
        "set Xen's version",
      );
    }
    vm.xenHvmConfig(KvmXenFlag.INTERCEPT_HCALL | send, HYPERCALL_MSR);
  }
}

function supportedCpuid(kvm: KvmDevice, scratch: Scratch): readonly CpuidEntry[] {
  const { buffer, hva } = scratch.memory;
  const at = scratch.take(KVM_CPUID2_HEADER + MAX_CPUID_ENTRIES * kvmCpuidEntry.size);
  const view = new DataView(buffer);
  view.setUint32(at, MAX_CPUID_ENTRIES, true);
  kvm.must("GET_SUPPORTED_CPUID", hva + at, "read the CPUID that KVM supports");
  const entry = kvmCpuidEntry.view(buffer);
  return Array.from({ length: view.getUint32(at, true) }, (_, i) => {
    entry.at(at + KVM_CPUID2_HEADER + i * kvmCpuidEntry.size);
    return {
      function: entry.function,
      index: entry.index,
      flags: entry.flags,
      eax: entry.eax,
      ebx: entry.ebx,
      ecx: entry.ecx,
      edx: entry.edx,
    };
  });
}

/** Host clock minus guest clock, in milliseconds, from `--rtc base=`. */
function rtcOffset(base: string): number {
  if (base === "utc") return 0;
  if (base === "localtime") return new Date().getTimezoneOffset() * 60_000;
  return Date.now() - Date.parse(base.includes("T") ? `${base}Z` : base);
}
