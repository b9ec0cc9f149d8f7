/** What `xen/` asks of threads and KVM, answered for one thread. */
import { gfnToGpa, PAGE_SIZE } from "../shared/brand.js";
import type { EvtchnPort, Gfn, VcpuId, Vector } from "../shared/brand.js";
import { HIGH_RAM_START, IOAPIC_BASE } from "../shared/layout.js";
import type { Log } from "../shared/log.js";
import { VcpuRequest } from "../xen/host.js";
import type { EvtchnRoute, ShutdownReason, XenHost, XenKernel } from "../xen/host.js";
import { mapAnonymous, mapFile } from "./host/host-memory.js";
import { KVM_XEN_EVTCHN_DEASSIGN, KVM_XEN_INVALID_GPA, KvmXenAttr, KvmXenFlag } from "./host/kvm-abi.js";
import type { Vm } from "./host/kvm.js";
import { SYS } from "./host/libc.js";
import { MemorySlot } from "./memory-slots.js";
import { timerDeadline } from "./deadlines.js";
import type { Deadlines } from "./deadlines.js";
import type { Doorbell } from "./host/eventfd.js";
import type { Libc } from "./host/libc.js";
import type { Kicks } from "./kicks.js";
import type { Lifecycle } from "./lifecycle.js";
import type { MachineClock } from "./machine-clock.js";
import { ramAt } from "./machine-memory.js";
import type { MachineParts } from "./protocol.js";
import { trace } from "./trace.js";

/** event_channel.h: EVTCHNSTAT_* as KVM_XEN_ATTR_TYPE_EVTCHN takes them. */
const EVTCHNSTAT_INTERDOMAIN = 2;
const EVTCHNSTAT_IPI = 5;
const MSI_ADDRESS = 0xfee0_0000;
/** How long a reading of the guest's clock is extended by the host's own. */
const CLOCK_REFRESH_NS = 100e6;
const NS_PER_MS = 1e6;
const GSIS = 24;

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

  constructor(thread: XenThread) {
    this.#thread = thread;
    this.log = thread.log;
    const { transport } = thread.parts;
    this.kernel = transport.kind === "kernel" ? new KernelSupport(thread, transport.flags) : undefined;
  }

  systemTimeNs(): number {
    const now = this.#thread.clock.nowNs();
    if (now - this.#clockReadAt > CLOCK_REFRESH_NS || now < this.#clockReadAt) {
      this.#clockOffset = this.#thread.vm.clockNs() - now;
      this.#clockReadAt = now;
    }
    return now + this.#clockOffset;
  }

  wallTimeNs(): number {
    return this.#thread.wallClockMs() * NS_PER_MS;
  }

  request(vcpu: VcpuId, requests: number): void {
    this.#thread.kicks.request(vcpu, requests);
  }

  injectVector(vcpu: VcpuId, vector: Vector): void {
    if (trace.interrupt.hasSubscribers) trace.interrupt.publish({ vector, target: vcpu, by: "lapic" });
    const apicId = this.#thread.parts.apicIds[vcpu] ?? 0;
    // Physical destination, fixed delivery, edge. Ids beyond 8 bits go into the high half (x2APIC format).
    this.#thread.vm.signalMsi(MSI_ADDRESS + (apicId & 0xff) * 4096, apicId & ~0xff, vector);
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
      return vm.setMemoryRegion(MemorySlot.overlay(page), gfnToGpa(frame), PAGE_SIZE, hva) === 0;
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
      vm.setMemoryRegion(MemorySlot.overlay(page), gfnToGpa(frame), 0, 0);
      return;
    }
    mapAnonymous(libc, ram.block.memory, ram.offset, PAGE_SIZE);
    const saved = new Uint8Array(memory.control.buffer, memory.layout.savedRam + page * PAGE_SIZE, PAGE_SIZE);
    new Uint8Array(ram.block.memory.buffer, ram.offset, PAGE_SIZE).set(saved);
  }

  armTimer(vcpu: VcpuId, deadlineNs: number): void {
    const machineNs =
      deadlineNs === Infinity ? Infinity : deadlineNs - this.systemTimeNs() + this.#thread.clock.nowNs();
    this.#thread.deadlines.arm(timerDeadline(vcpu), machineNs);
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
  readonly runsTimers: boolean;
  readonly #thread: XenThread;
  readonly #vm: Vm;
  readonly #flags: number;

  constructor(thread: XenThread, flags: number) {
    this.#thread = thread;
    this.#vm = thread.vm;
    this.#flags = flags;
    this.sendsEvents = (flags & KvmXenFlag.EVTCHN_SEND) !== 0;
    this.runsTimers = this.sendsEvents;
  }

  send(port: EvtchnPort, vcpu: VcpuId): void {
    this.#vm.xenSendEvtchn(port, this.#thread.parts.apicIds[vcpu] ?? 0);
  }

  route(port: EvtchnPort, route: EvtchnRoute | undefined): void {
    if (!this.sendsEvents) return;
    if (route === undefined) {
      const none = { sendPort: port, type: 0, flags: KVM_XEN_EVTCHN_DEASSIGN, port: 0, vcpuOrFd: 0 };
      this.#vm.xenRouteEvtchn(none);
    } else if (route.kind === "port") {
      const vcpuOrFd = this.#thread.parts.apicIds[route.vcpu] ?? 0;
      this.#vm.xenRouteEvtchn({ sendPort: port, type: EVTCHNSTAT_IPI, flags: 0, port, vcpuOrFd });
    } else {
      const vcpuOrFd = this.#thread.parts.kicks[route.owner] ?? -1;
      this.#vm.xenRouteEvtchn({ sendPort: port, type: EVTCHNSTAT_INTERDOMAIN, flags: 0, port: 0, vcpuOrFd });
    }
  }

  setSharedInfo(frame: Gfn | undefined): void {
    this.#vm.xenSetAttr(KvmXenAttr.SHARED_INFO, frame ?? KVM_XEN_INVALID_GPA);
  }

  setLongMode(longMode: boolean): void {
    this.#vm.xenSetAttr(KvmXenAttr.LONG_MODE, longMode ? 1 : 0);
  }

  longMode(): boolean {
    return (this.#vm.xenGetAttr(KvmXenAttr.LONG_MODE) & 0xff) !== 0;
  }

  setCallbackVector(vector: Vector): void {
    this.#vm.xenSetAttr(KvmXenAttr.UPCALL_VECTOR, vector);
  }

  setRunstateUpdateFlag(enabled: boolean): boolean {
    if ((this.#flags & KvmXenFlag.RUNSTATE_UPDATE_FLAG) === 0) return false;
    return this.#vm.xenSetAttr(KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG, enabled ? 1 : 0) === 0;
  }
}

/** <linux/kvm.h> since 6.3. */
const KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG = 5;
