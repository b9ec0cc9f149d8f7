/**
 * What a machine takes from the host, in the order in which it must be given back: descriptors, memory, the KVM objects.
 * Made in the machine's own thread, before any worker starts.
 */
import { PAGE_SIZE } from "../shared/brand.js";
import type { DiskConfig, ResolvedConfig } from "../shared/config.js";
import { VmmError } from "../shared/errors.js";
import {
  HIGH_RAM_START,
  KVM_IDENTITY_MAP,
  KVM_TSS,
  LEGACY_HOLE_START,
  ONE_MIB,
  RESET_PAGE,
  XEN_SPECIAL_BASE,
  XEN_SPECIAL_PAGES,
} from "../shared/layout.js";
import { fillResetPage } from "../devices/boot/reset-vector.js";
import { LATCH_PORTS } from "../devices/ide/command-block.js";
import { IDE_CHANNELS } from "../devices/ide/piix3-ide.js";
import { overlayPages, xenArenaBytes } from "../xen/domain-config.js";
import { apicIdOf } from "./cpu-topology.js";
import { hasInvariantTsc } from "./cpuid.js";
import { loadFirmware } from "./firmware-image.js";
import { xenConfig } from "./guest-layout.js";
import { createEventfd } from "./host/eventfd.js";
import { Holdings } from "./host/holdings.js";
import { allocate, mapAnonymous, mapFile } from "./host/host-memory.js";
import { kvmCpuidEntry, KVM_CPUID2_HEADER, KvmXenAttr, KvmXenFlag } from "./host/kvm-abi.js";
import { IOAPIC_PINS, KvmDevice, openKvm, Vm } from "./host/kvm.js";
import type { Scratch, SlotRegion } from "./host/kvm.js";
import { checked, SYS } from "./host/libc.js";
import type { Libc } from "./host/libc.js";
import { diskOpener, openDisk } from "./host/open-file.js";
import type { DiskOpener, OpenDisk } from "./host/open-file.js";
import { openNet } from "./host/open-net.js";
import type { OpenNet } from "./host/open-net.js";
import type { CpuidEntry } from "./host/vcpu.js";
import { showsHyperv } from "./hyperv-cpuid.js";
import { hypercallMsr, watchedMsrs } from "./hypercall-msr.js";
import { allocateRam, controlLayout, ramHva, scratchOf, ThreadSlot } from "./machine-memory.js";
import type { MachineMemory, Rom } from "./machine-memory.js";
import { MemorySlot } from "./memory-slots.js";
import type { MachineParts, Transport } from "./protocol.js";
import { UserNetworks } from "./user-networks.js";
import { wallClockOffset } from "./wall-clock.js";
import { ShadowSlots } from "./shadow-slots.js";
import { chooseTransport, hvmConfigFlags } from "./xen-transport.js";

/** KVM_MSR_EXIT_REASON_FILTER: accesses that the MSR filter denies exit to us. */
const MSR_EXIT_FILTER = 4;
const MAX_CPUID_ENTRIES = 256;
const SECTOR = 512;
/** MFD_CLOEXEC */
const MFD_CLOEXEC = 1;

export class HostResources {
  readonly parts: MachineParts;
  /** What each network card of the configuration is plugged into. */
  readonly nets: readonly OpenNet[];
  /** To be started before the machine is, and to be waited for after {@link release}. */
  readonly userNetworks: UserNetworks;
  readonly vcpuFds: readonly number[];
  readonly supportedCpuid: readonly CpuidEntry[];
  /** Of Hyper-V's leaves; empty when the configuration asks for none. */
  readonly supportedHyperv: readonly CpuidEntry[];
  readonly tscKhz: number;
  readonly vm: Vm;
  readonly scratch: Scratch;
  readonly #disks: OpenDisk[];
  readonly #opener: DiskOpener;
  readonly #holdings: Holdings;

  private constructor(fields: {
    readonly libc: Libc;
    readonly parts: MachineParts;
    readonly disks: OpenDisk[];
    readonly opener: DiskOpener;
    readonly vcpuFds: readonly number[];
    readonly supportedCpuid: readonly CpuidEntry[];
    readonly supportedHyperv: readonly CpuidEntry[];
    readonly tscKhz: number;
    readonly vm: Vm;
    readonly scratch: Scratch;
    readonly nets: readonly OpenNet[];
    readonly holdings: Holdings;
  }) {
    this.parts = fields.parts;
    this.#disks = fields.disks;
    this.#opener = fields.opener;
    this.vcpuFds = fields.vcpuFds;
    this.supportedCpuid = fields.supportedCpuid;
    this.supportedHyperv = fields.supportedHyperv;
    this.tscKhz = fields.tscKhz;
    this.vm = fields.vm;
    this.scratch = fields.scratch;
    this.nets = fields.nets;
    const { libc, scratch, nets } = fields;
    this.userNetworks = new UserNetworks({ libc, scratch, nets: fields.parts.config.nets, opened: nets });
    this.#holdings = fields.holdings;
  }

  /** @throws VmmError saying what the host lacks or refused; nothing stays open then */
  static acquire(libc: Libc, config: ResolvedConfig): HostResources {
    const holdings = new Holdings();
    try {
      return HostResources.#acquire(libc, config, holdings);
    } catch (error) {
      try {
        holdings.release();
      } catch {
        // What went wrong first is what to tell.
      }
      throw error;
    }
  }

  static #acquire(libc: Libc, config: ResolvedConfig, holdings: Holdings): HostResources {
    const keep = (fd: number): number => holdings.keep(fd);
    const kvm = openKvm(libc);
    keep(kvm.fd);
    const runBytes = kvm.must("GET_VCPU_MMAP_SIZE", 0, "size a vCPU's run area");
    const memory = allocateMemory(libc, config, runBytes, holdings);
    const scratch = scratchOf(memory, ThreadSlot.machine);
    const opener = diskOpener(libc, scratch);
    const disks = config.disks.map((disk) => {
      const opened = openDisk(opener, disk);
      if (opened.fd >= 0) keep(opened.fd);
      return opened;
    });
    const nets = config.nets.map(({ backend }) =>
      openNet(
        {
          libc,
          scratch,
          keep,
          keepPath: (path: string) => {
            holdings.keepPath(path);
          },
        },
        backend,
      ),
    );
    const supported = readCpuid(kvm, "GET_SUPPORTED_CPUID", scratch);
    const transport = chooseTransport(config.accel, {
      flags: kvm.capability("XEN_HVM"),
      invariantTsc: hasInvariantTsc(supported),
    });
    const vm = Vm.create(libc, kvm, scratch);
    keep(vm.fd);
    mapMemory(vm, memory, config);
    vm.enableCap("SPLIT_IRQCHIP", IOAPIC_PINS);
    enableXen(vm, transport, config);
    const apicIds = Array.from({ length: config.vcpus.count }, (_, i) => apicIdOf(i, config.vcpus));
    const vcpuFds = apicIds.map((id) => keep(vm.must("CREATE_VCPU", id, `create vCPU ${id}`)));
    const firstVcpu = new KvmDevice(libc, vcpuFds[0] ?? -1);
    const owners = 1 + config.disks.length + config.nets.length;
    const doorbells = Array.from({ length: owners }, () => keep(createEventfd(libc)));
    const kicks = Array.from({ length: owners }, () => keep(createEventfd(libc)));
    const diskSectors = disks.map(({ bytes }) => bytes / SECTOR);
    const rtcOffsetMs = wallClockOffset(config.rtc);
    return new HostResources({
      libc,
      parts: {
        config,
        memory,
        vmFd: vm.fd,
        doorbells,
        kicks,
        diskSectors,
        transport,
        apicIds,
        coalescedAt: coalesceWrites(vm, config, runBytes),
        rtcOffsetMs,
      },
      disks,
      opener,
      vcpuFds,
      supportedCpuid: supported,
      supportedHyperv: showsHyperv(config) ? supportedHypervCpuid(kvm, firstVcpu, scratch) : [],
      tscKhz: Math.max(0, firstVcpu.ioctl("GET_TSC_KHZ", 0)),
      vm,
      scratch,
      nets,
      holdings,
    });
  }

  get tscDeadline(): boolean {
    return this.vm.capability("TSC_DEADLINE_TIMER") !== 0;
  }

  /** What is behind each disk of the configuration. */
  get disks(): readonly OpenDisk[] {
    return this.#disks;
  }

  /**
   * Opens what is to be in a CD drive next.
   *
   * @throws VmmError CONFIG with one line that names the file and what is wrong with it
   */
  openMedium(disk: DiskConfig): OpenDisk {
    return openDisk(this.#opener, disk);
  }

  /** The medium of disk `index` is `next` from now on. Nobody uses the one before any more. */
  replaceMedium(index: number, next: OpenDisk): void {
    const before = this.#disks[index]?.fd ?? -1;
    this.#disks[index] = next;
    if (next.fd >= 0) this.#holdings.keep(next.fd);
    if (before >= 0) this.#holdings.close(before);
  }

  /** {@link release}, and waits for the networks' processes, which end when the cards' sockets are closed. */
  async releaseAll(): Promise<void> {
    try {
      this.release();
    } finally {
      await this.userNetworks.end();
    }
  }

  /**
   * Gives everything back, last first. All workers are gone.
   *
   * @throws VmmError HOST_SYSCALL for the first that the host did not take back; all others are
   */
  release(): void {
    this.#holdings.release();
  }
}

function allocateMemory(libc: Libc, config: ResolvedConfig, runBytes: number, holdings: Holdings): MachineMemory {
  const xen = config.accel.xenVersion === 0 ? undefined : xenConfig(config, true);
  const layout = controlLayout({
    vcpus: config.vcpus.count,
    disks: config.disks.length,
    nets: config.nets.length,
    runBytes,
    xenBytes: xen === undefined ? 0 : xenArenaBytes(xen),
    overlayPages: xen === undefined ? 0 : overlayPages(xen),
  });
  const control = allocate(libc, layout.total);
  const ram = allocateRam(libc, config.memoryBytes);
  // The mapped run areas and overlay pages would keep the VM alive until the buffers are collected: nothing stays mapped.
  for (const memory of [control, ...ram.map((block) => block.memory)]) {
    holdings.keepUntil(() => {
      mapAnonymous(libc, memory, 0, memory.buffer.byteLength);
    });
  }
  const rom = config.boot.kind === "firmware" ? loadFirmware(libc, config.boot.bios) : undefined;
  const memory = { control, layout, ram, rom, overlayFd: -1 };
  if (layout.overlayPages === 0) return memory;
  return { ...memory, overlayFd: overlayFile(libc, memory, holdings) };
}

/** The overlay pages' file, mapped at its permanent place: it can appear in guest RAM a second time. */
function overlayFile(libc: Libc, memory: MachineMemory, holdings: Holdings): number {
  const { control, layout } = memory;
  const name = Buffer.from(control.buffer, layout.scratch, 16);
  name.write("xen-overlays\0");
  const fd = checked(
    "memfd_create",
    libc.syscall(SYS.memfd_create, control.hva + layout.scratch, MFD_CLOEXEC),
    "create shared pages",
  );
  holdings.keep(fd);
  const length = layout.overlayPages * PAGE_SIZE;
  checked("ftruncate", libc.syscall(SYS.ftruncate, fd, length), "size the shared pages");
  mapFile(libc, control, { offset: layout.overlays, length, fd, fileOffset: 0, what: "map the shared pages" });
  return fd;
}

function mapMemory(vm: Vm, memory: MachineMemory, config: ResolvedConfig): void {
  const { rom } = memory;
  memory.ram.forEach((block, i) => {
    // Firmware finds no RAM from video memory on, and above it what the attribute map says.
    const size = rom === undefined || i > 0 ? block.size : LEGACY_HOLE_START;
    giveMemory(vm, { slot: MemorySlot.ram(i), gpa: block.gpa, size, hva: ramHva(block) });
  });
  if (rom === undefined) mapResetPage(vm, memory);
  else mapFirmware(vm, memory, rom);
  vm.setIdentityMap(KVM_IDENTITY_MAP);
  vm.must("SET_TSS_ADDR", KVM_TSS, "place KVM's TSS");
  if (config.accel.xenVersion === 0) return;
  const hva = memory.control.hva + memory.layout.special;
  giveMemory(vm, { slot: MemorySlot.special, gpa: XEN_SPECIAL_BASE, size: XEN_SPECIAL_PAGES * PAGE_SIZE, hva });
}

/** Where a processor starts after INIT. */
function mapResetPage(vm: Vm, memory: MachineMemory): void {
  const { control, layout } = memory;
  fillResetPage(new Uint8Array(control.buffer, layout.resetPage, PAGE_SIZE));
  const hva = control.hva + layout.resetPage;
  // A KVM without read-only memory lets the guest write there, which harms nobody else.
  const readOnly = vm.capability("READONLY_MEM") !== 0;
  giveMemory(vm, { slot: MemorySlot.rom, gpa: RESET_PAGE, size: PAGE_SIZE, hva, readOnly });
}

function mapFirmware(vm: Vm, memory: MachineMemory, rom: Rom): void {
  if (vm.capability("READONLY_MEM") === 0) {
    throw new VmmError(
      "HOST_UNSUPPORTED",
      "Cannot start firmware on this KVM: KVM_CAP_READONLY_MEM is missing (Linux 3.7 has it)",
    );
  }
  const [low] = memory.ram;
  if (low !== undefined && low.size > ONE_MIB) {
    const size = low.size - ONE_MIB;
    giveMemory(vm, { slot: MemorySlot.aboveOneMib, gpa: ONE_MIB, size, hva: ramHva(low) + ONE_MIB });
  }
  const { size } = rom;
  giveMemory(vm, { slot: MemorySlot.rom, gpa: HIGH_RAM_START - size, size, hva: rom.memory.hva, readOnly: true });
  new ShadowSlots(vm, memory).create();
}

function giveMemory(vm: Vm, region: SlotRegion): void {
  const what = `give the guest its memory at 0x${region.gpa.toString(16)}`;
  checked("KVM_SET_USER_MEMORY_REGION", vm.setMemoryRegion(region), what);
}

function enableXen(vm: Vm, transport: Transport, config: ResolvedConfig): void {
  if (transport.kind === "none") return;
  // Both transports: the hypercall page is ours to fill, and its writer's mode is the guest's.
  vm.enableCap("X86_USER_SPACE_MSR", MSR_EXIT_FILTER);
  const msr = hypercallMsr(config);
  const sends = transport.kind === "kernel" && (transport.flags & KvmXenFlag.EVTCHN_SEND) !== 0;
  vm.filterMsrs(sends ? [msr] : watchedMsrs(config, false), msr);
  if (transport.kind === "kernel") {
    if (sends) {
      checked(
        "KVM_XEN_HVM_SET_ATTR",
        vm.xenSetAttr(KvmXenAttr.XEN_VERSION, config.accel.xenVersion),
        "set Xen's version",
      );
    }
    vm.xenHvmConfig(hvmConfigFlags(transport.flags, true), msr);
  }
}

/** Has KVM keep what it can: where the ring lies in a run area of `runBytes`, or 0 where nothing is kept. */
function coalesceWrites(vm: Vm, config: ResolvedConfig, runBytes: number): number {
  if (!config.disks.some(({ attach }) => attach.kind === "ide") || vm.capability("COALESCED_PIO") === 0) return 0;
  const at = vm.capability("COALESCED_MMIO") * PAGE_SIZE;
  if (at === 0 || at + PAGE_SIZE > runBytes) return 0;
  // It only helps: without it each write makes the vCPU leave the guest
  const kept = IDE_CHANNELS.map(({ command }) => vm.coalesceWrites(command + LATCH_PORTS.first, LATCH_PORTS.count));
  return kept.some((result) => result === 0) ? at : 0;
}

/** Hyper-V's leaves as KVM can be that to a guest; none where it cannot. `vcpu` is any of the machine's. */
function supportedHypervCpuid(kvm: KvmDevice, vcpu: KvmDevice, scratch: Scratch): readonly CpuidEntry[] {
  if (kvm.capability("SYS_HYPERV_CPUID") !== 0) return readCpuid(kvm, "GET_SUPPORTED_HV_CPUID", scratch);
  return kvm.capability("HYPERV_CPUID") === 0 ? [] : readCpuid(vcpu, "GET_SUPPORTED_HV_CPUID", scratch);
}

function readCpuid(
  device: KvmDevice,
  request: "GET_SUPPORTED_CPUID" | "GET_SUPPORTED_HV_CPUID",
  scratch: Scratch,
): readonly CpuidEntry[] {
  const { buffer, hva } = scratch.memory;
  const at = scratch.take(KVM_CPUID2_HEADER + MAX_CPUID_ENTRIES * kvmCpuidEntry.size);
  const view = new DataView(buffer);
  view.setUint32(at, MAX_CPUID_ENTRIES, true);
  device.must(request, hva + at, "read the CPUID that KVM supports");
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
