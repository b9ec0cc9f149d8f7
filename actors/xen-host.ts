/** What `xen/` asks of threads and KVM, answered for one thread. */
import { gfnToGpa, gpa, PAGE_SIZE } from "../shared/brand.js";
import type { EvtchnPort, Gfn, VcpuId, Vector } from "../shared/brand.js";
import { HIGH_RAM_START, IOAPIC_BASE, XEN_SPECIAL_BASE } from "../shared/layout.js";
import type { Log } from "../shared/log.js";
import { VcpuRequest } from "../xen/host.js";
import type { EvtchnRoute, ShutdownReason, XenHost, XenKernel } from "../xen/host.js";
import { discard, mapAnonymous, mapFile } from "./host/host-memory.js";
import {
  KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG,
  KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA,
  KVM_XEN_EVTCHN_DEASSIGN,
  KVM_XEN_INVALID_GPA,
  KvmXenAttr,
  KvmXenFlag,
} from "./host/kvm-abi.js";
import type { Vm } from "./host/kvm.js";
import { checked, ERRNO, SYS } from "./host/libc.js";
import { hypercallMsr } from "./hypercall-msr.js";
import { MemorySlot } from "./memory-slots.js";
import { timerDeadline } from "./deadlines.js";
import type { Deadlines } from "./deadlines.js";
import type { Doorbell } from "./host/eventfd.js";
import type { Libc } from "./host/libc.js";
import { withoutPollers } from "./kernel-polls.js";
import type { Kicks } from "./kicks.js";
import type { Lifecycle } from "./lifecycle.js";
import type { MachineClock } from "./machine-clock.js";
import { ramAt, sharedInfoHva } from "./machine-memory.js";
import type { PciMessages } from "./pci-messages.js";
import type { MachineParts } from "./protocol.js";
import { trace } from "./trace.js";
import { hvmConfigFlags } from "./xen-transport.js";

/** event_channel.h: EVTCHNSTAT_* as KVM_XEN_ATTR_TYPE_EVTCHN takes them. */
const EVTCHNSTAT_INTERDOMAIN = 2;
const EVTCHNSTAT_IPI = 5;
const MSI_ADDRESS = 0xfee0_0000;
/** Delivery mode of a message's data, bits 10:8. [SDM] volume 3, 11.11.2 */
const MSI_DELIVER_NMI = 4 << 8;
const NMI_VECTOR = 2;
/** How long a reading of the guest's clock is extended by the host's own. */
const CLOCK_REFRESH_NS = 100e6;
/** How close together the two clocks must be read, and how often that is tried. */
const CLOCK_CLOSE_NS = 20e3;
const CLOCK_READINGS = 4;
const NS_PER_MS = 1e6;
const GSIS = 24;
/** A page where nothing is, below Xen's own. */
const PASSING_PAGE = gpa(XEN_SPECIAL_BASE - PAGE_SIZE);

/** What this needs of its thread (thread.ts). */
export interface XenThread {
  readonly log: Log;
  readonly parts: MachineParts;
  readonly libc: Libc;
  readonly vm: Vm;
  readonly clock: MachineClock;
  readonly kicks: Kicks;
  readonly lifecycle: Lifecycle;
  readonly deadlines: Deadlines;
  readonly guestKicks: readonly Doorbell[];
  readonly callback: { want(gsi: number, level: 0 | 1): void };
  readonly messages: Pick<PciMessages, "pirqChanged" | "isPirqHeld">;
  readonly board: {
    readonly piix3: { intxGsi(slot: number, pin: number): number };
    readonly router: { level(gsi: number): 0 | 1 };
  };
  wallClockMs(): number;
  xenConsoleWrite(data: Uint8Array): void;
}

export class XenHostOfThread implements XenHost {
  readonly log: Log;
  readonly kernel: XenKernel | undefined;
  readonly #thread: XenThread;
  /** Guest clock minus machine clock when last read, and when that was. */
  #clockOffset = 0;
  #clockReadAt = -Infinity;
  /** Of the machine clock then: the two are stopped and started one after the other. */
  #clockOrigin = 0;

  constructor(thread: XenThread) {
    this.#thread = thread;
    this.log = thread.log;
    const { transport } = thread.parts;
    this.kernel = transport.kind === "kernel" ? new KernelSupport(thread, transport.flags) : undefined;
  }

  systemTimeNs(): number {
    const { clock } = this.#thread;
    const held = clock.guestHeldNs;
    if (held >= 0) return held;
    const now = clock.nowNs();
    const fresh = now - this.#clockReadAt <= CLOCK_REFRESH_NS && now >= this.#clockReadAt;
    if (fresh && clock.originNs === this.#clockOrigin) return now + this.#clockOffset;
    this.#readClock();
    return clock.nowNs() + this.#clockOffset;
  }

  /** A thread may lose its processor between the two clocks: what it reads last must not be the guest's, or we are ahead. */
  #readClock(): void {
    const { clock, vm } = this.#thread;
    let closest = Infinity;
    this.#clockOrigin = clock.originNs;
    for (let i = 0; i < CLOCK_READINGS && closest > CLOCK_CLOSE_NS; i++) {
      const before = clock.nowNs();
      const guest = vm.clockNs();
      const after = clock.nowNs();
      if (after - before >= closest) continue;
      closest = after - before;
      this.#clockOffset = guest - after;
      this.#clockReadAt = after;
    }
  }

  wallTimeNs(): number {
    return this.#thread.wallClockMs() * NS_PER_MS;
  }

  request(vcpu: VcpuId, requests: number): void {
    this.#thread.kicks.request(vcpu, requests);
  }

  vcpuPowerChanged(vcpu: VcpuId): void {
    this.#thread.kicks.request(vcpu, VcpuRequest.power);
  }

  settleVcpu(caller: VcpuId, vcpu: VcpuId): void {
    this.#thread.kicks.settle(caller, vcpu, VcpuRequest.power);
  }

  injectNmi(vcpu: VcpuId): void {
    if (trace.interrupt.hasSubscribers) trace.interrupt.publish({ vector: NMI_VECTOR, target: vcpu, by: "lapic" });
    this.#signalApic(vcpu, MSI_DELIVER_NMI);
  }

  injectVector(vcpu: VcpuId, vector: Vector): boolean {
    if (trace.interrupt.hasSubscribers) trace.interrupt.publish({ vector, target: vcpu, by: "lapic" });
    return this.#signalApic(vcpu, vector);
  }

  setCallbackGsi(gsi: number, level: 0 | 1): void {
    // Not from here: the caller may hold the router's lock. vCPU 0 drives the line (XenDomain knows the target).
    this.#thread.callback.want(gsi, level);
    this.#thread.kicks.request(0, VcpuRequest.callback);
  }

  pciIntxGsi(device: number, pin: number): number | undefined {
    const gsi = this.#thread.board.piix3.intxGsi(device, pin + 1);
    return gsi < 0 ? undefined : gsi;
  }

  signalBackend(port: EvtchnPort, owner: number): void {
    if (trace.evtchn.hasSubscribers) trace.evtchn.publish({ port, to: "backend", target: owner });
    this.#thread.guestKicks[owner]?.ring();
  }

  mapOverlay(page: number, frame: Gfn): boolean {
    if (isChipPage(frame)) return false;
    const { libc, parts, vm } = this.#thread;
    const { memory } = parts;
    const ram = ramAt(memory, frame);
    if (ram === undefined) {
      const hva = memory.control.hva + memory.layout.overlays + page * PAGE_SIZE;
      const slot = MemorySlot.overlay(page);
      const region = { slot, gpa: gfnToGpa(frame), size: PAGE_SIZE, hva };
      const result = withoutPollers(this.#thread, () => vm.setMemoryRegion(region));
      // The guest named a frame where it has something else, or none that there can be.
      if (result === -ERRNO.EEXIST || result === -ERRNO.EINVAL) return false;
      checked("KVM_SET_USER_MEMORY_REGION", result, "map an overlay page");
      return true;
    }
    const saved = memory.layout.savedRam + page * PAGE_SIZE;
    const behind = new Uint8Array(ram.block.memory.buffer, ram.offset, PAGE_SIZE);
    new Uint8Array(memory.control.buffer, saved, PAGE_SIZE).set(behind);
    mapFile(libc, ram.block.memory, {
      offset: ram.offset,
      length: PAGE_SIZE,
      fd: memory.overlayFd,
      fileOffset: page * PAGE_SIZE,
      what: "map an overlay page",
    });
    return true;
  }

  unmapOverlay(page: number, frame: Gfn): void {
    const { libc, parts, vm } = this.#thread;
    const { memory } = parts;
    const ram = ramAt(memory, frame);
    if (ram === undefined) {
      const slot = MemorySlot.overlay(page);
      const region = { slot, gpa: gfnToGpa(frame), size: 0, hva: 0 };
      const result = withoutPollers(this.#thread, () => vm.setMemoryRegion(region));
      checked("KVM_SET_USER_MEMORY_REGION", result, "unmap an overlay page");
      return;
    }
    mapAnonymous(libc, ram.block.memory, ram.offset, PAGE_SIZE);
    const saved = new Uint8Array(memory.control.buffer, memory.layout.savedRam + page * PAGE_SIZE, PAGE_SIZE);
    new Uint8Array(ram.block.memory.buffer, ram.offset, PAGE_SIZE).set(saved);
  }

  discardFrames(first: Gfn, count: number): void {
    const { libc, parts } = this.#thread;
    for (let frame: number = first; frame < first + count;) {
      const place = ramAt(parts.memory, frame as Gfn);
      if (place === undefined) {
        frame++;
        continue;
      }
      const { block, offset } = place;
      const pages = Math.min(first + count - frame, (block.start + block.size - offset) / PAGE_SIZE);
      discard(libc, block.memory, offset, pages * PAGE_SIZE);
      frame += pages;
    }
  }

  /**
   * KVM has no call for it, but a memory slot that goes takes every translation with it: KVM gives each vCPU new tables
   * for guest memory, and the processor keeps nothing of old ones. The page shows nowhere, as all vCPUs are out of the guest.
   */
  flushTlbs(): void {
    const { kicks, parts, vm } = this.#thread;
    const { control, layout } = parts.memory;
    const passing = { slot: MemorySlot.passing, gpa: PASSING_PAGE, hva: control.hva + layout.overlays };
    kicks.whileHeld(() => {
      const come = vm.setMemoryRegion({ ...passing, size: PAGE_SIZE });
      checked("KVM_SET_USER_MEMORY_REGION", come, "flush translations");
      const gone = vm.setMemoryRegion({ ...passing, size: 0 });
      // Another vCPU that asks for the same may have taken it away between the two: that is as good.
      if (gone !== -ERRNO.EINVAL) checked("KVM_SET_USER_MEMORY_REGION", gone, "flush translations");
    });
  }

  armTimer(vcpu: VcpuId, deadlineNs: number): void {
    const machineNs =
      deadlineNs === Infinity ? Infinity : deadlineNs - this.systemTimeNs() + this.#thread.clock.nowNs();
    this.#thread.deadlines.arm(timerDeadline(vcpu), machineNs);
  }

  messagePirqChanged(pirq: number, bound: boolean): void {
    this.#thread.messages.pirqChanged(pirq, bound);
  }

  messagePirqHeld(pirq: number): boolean {
    return this.#thread.messages.isPirqHeld(pirq);
  }

  gsiLevel(gsi: number): 0 | 1 {
    return gsi < GSIS ? this.#thread.board.router.level(gsi) : 0;
  }

  pollWait(vcpu: VcpuId, deadlineNs: number): boolean {
    const timeoutMs = deadlineNs === Infinity ? Infinity : (deadlineNs - this.systemTimeNs()) / NS_PER_MS;
    return timeoutMs <= 0 || this.#thread.kicks.pollWait(vcpu, timeoutMs);
  }

  wakePoll(vcpu: VcpuId): void {
    this.#thread.kicks.wakePoll(vcpu);
  }

  yieldThread(): void {
    this.#thread.libc.fast(SYS.sched_yield);
  }

  shutdown(vcpu: VcpuId, reason: ShutdownReason): void {
    this.#thread.lifecycle.end(END_REASONS[reason], vcpu);
    this.#thread.kicks.requestAll(VcpuRequest.control);
  }

  consoleWrite(data: Uint8Array): void {
    this.#thread.xenConsoleWrite(data);
  }

  setVcpuTime(vcpu: VcpuId): void {
    this.#thread.kicks.request(vcpu, VcpuRequest.syncXen);
  }

  /** A message to one APIC: physical destination, edge. Ids beyond 8 bits go into the high half (x2APIC format). */
  #signalApic(vcpu: VcpuId, data: number): boolean {
    const apicId = this.#thread.parts.apicIds[vcpu] ?? 0;
    return this.#thread.vm.signalMsi(MSI_ADDRESS + (apicId & 0xff) * 4096, apicId & ~0xff, data);
  }
}

/** From the IOAPIC to 4 GiB are chips, and Xen's and KVM's own pages: no overlay may hide them. */
function isChipPage(frame: Gfn): boolean {
  const address = gfnToGpa(frame);
  return address >= IOAPIC_BASE && address < HIGH_RAM_START;
}

const END_REASONS = {
  poweroff: "poweroff",
  reboot: "reset",
  suspend: "suspend",
  crash: "crash",
  watchdog: "watchdog",
  soft_reset: "soft-reset",
} as const;

/** KVM's own Xen support, as far as `flags` go. */
class KernelSupport implements XenKernel {
  readonly sendsEvents: boolean;
  readonly keepsRunstate: boolean;
  readonly findsSharedInfo: boolean;
  readonly #thread: XenThread;
  readonly #vm: Vm;
  readonly #flags: number;

  constructor(thread: XenThread, flags: number) {
    this.#thread = thread;
    this.#vm = thread.vm;
    this.#flags = flags;
    this.sendsEvents = (flags & KvmXenFlag.EVTCHN_SEND) !== 0;
    this.keepsRunstate = (flags & KvmXenFlag.RUNSTATE) !== 0;
    this.findsSharedInfo = (flags & KvmXenFlag.SHARED_INFO_HVA) !== 0;
  }

  send(port: EvtchnPort, vcpu: VcpuId): void {
    this.#vm.xenSendEvtchn(port, this.#thread.parts.apicIds[vcpu] ?? 0);
  }

  /** There is nothing to ask of the vCPUs: a signal alone ends a poll. */
  wakePolls(): void {
    this.#thread.kicks.requestAll(0);
  }

  route(port: EvtchnPort, route: EvtchnRoute | undefined): void {
    if (!this.sendsEvents) return;
    if (route === undefined) {
      const none = { sendPort: port, type: 0, flags: KVM_XEN_EVTCHN_DEASSIGN, port: 0, vcpuOrFd: 0 };
      withoutPollers(this.#thread, () => this.#vm.xenRouteEvtchn(none));
    } else if (route.kind === "port") {
      const vcpuOrFd = this.#thread.parts.apicIds[route.vcpu] ?? 0;
      this.#vm.xenRouteEvtchn({ sendPort: port, type: EVTCHNSTAT_IPI, flags: 0, port, vcpuOrFd });
    } else {
      const vcpuOrFd = this.#thread.parts.kicks[route.owner] ?? -1;
      this.#vm.xenRouteEvtchn({ sendPort: port, type: EVTCHNSTAT_INTERDOMAIN, flags: 0, port: 0, vcpuOrFd });
    }
  }

  setDelivery(enabled: boolean): void {
    if (!this.sendsEvents) return;
    this.#vm.xenHvmConfig(hvmConfigFlags(this.#flags, enabled), hypercallMsr(this.#thread.parts.config));
  }

  setSharedInfo(place: Gfn | "page" | undefined): void {
    if (this.findsSharedInfo) {
      const hva = place === undefined ? NO_HVA : sharedInfoHva(this.#thread.parts.memory);
      this.#vm.xenSetAttr(KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA, hva);
    } else this.#vm.xenSetAttr(KvmXenAttr.SHARED_INFO, typeof place === "number" ? place : KVM_XEN_INVALID_GPA);
  }

  setLongMode(longMode: boolean): void {
    this.#vm.xenSetAttr(KvmXenAttr.LONG_MODE, longMode ? 1 : 0);
  }

  setCallbackVector(vector: Vector): void {
    this.#vm.xenSetAttr(KvmXenAttr.UPCALL_VECTOR, vector);
  }

  setRunstateUpdateFlag(enabled: boolean): boolean {
    if ((this.#flags & KvmXenFlag.RUNSTATE_UPDATE_FLAG) === 0) return false;
    return this.#vm.xenSetAttr(KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG, enabled ? 1 : 0) === 0;
  }
}

/** What KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA is set to for "nowhere". */
const NO_HVA = 0;
