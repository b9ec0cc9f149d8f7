/**
 * What makes the guest a Xen guest: the front door of this room. Every thread builds one over the same shared memory.
 *
 * Hypercalls run on the calling vCPU's thread; back ends and the device actor reach the parts directly.
 */
import type { SharedArena } from "../shared/arena.js";
import { gpa } from "../shared/brand.js";
import type { EvtchnPort, Gfn, VcpuId } from "../shared/brand.js";
import { CONSOLE_GFN, XENSTORE_GFN } from "../shared/layout.js";
import type { GuestMemory } from "../shared/memory.js";
import type { HypercallEvent, TracePoint } from "../shared/trace.js";
import type { VirtualMemory } from "../shared/virtual-memory.js";
import { Errno } from "./abi/errno.js";
import { HvmParam } from "./abi/hvm.js";
import { VCPU_INFO_TIME } from "./abi/shared-info.js";
import { RunstateKind } from "./abi/vcpu.js";
import { SHARED_INFO_PAGE } from "./domain-config.js";
import type { XenConfig } from "./domain-config.js";
import { DomainState } from "./domain.js";
import type { DomainSnapshot } from "./domain.js";
import { EventChannels } from "./event-channels.js";
import type { EventChannelSnapshot } from "./event-channels.js";
import { EventDelivery } from "./event-delivery.js";
import type { DeliverySnapshot } from "./event-delivery.js";
import { GrantTable } from "./grant-table.js";
import type { GrantSnapshot } from "./grant-table.js";
import { BackendOwner, VcpuRequest } from "./host.js";
import type { XenHost } from "./host.js";
import { HypercallCall } from "./hypercalls/call.js";
import type { HypercallFrame } from "./hypercalls/call.js";
import { HypercallTable } from "./hypercalls/table.js";
import type { Overlays, OverlaySnapshot } from "./overlays.js";
import type { XenParts } from "./parts.js";
import { Pirqs } from "./pirq.js";
import type { PirqSnapshot } from "./pirq.js";
import { Reservation } from "./reservation.js";
import type { ReservationSnapshot } from "./reservation.js";
import { Runstate } from "./runstate.js";
import type { RunstateSnapshot } from "./runstate.js";
import { copyTimeArea } from "./time-area.js";
import { XenTimers } from "./timers.js";
import type { TimerSnapshot } from "./timers.js";
import { writeWallclock } from "./wallclock.js";

export interface XenDomainParts {
  readonly arena: SharedArena;
  readonly memory: GuestMemory;
  readonly overlays: Overlays;
  readonly host: XenHost;
  readonly config: XenConfig;
  /** Sees each hypercall. */
  readonly trace?: TracePoint<HypercallEvent>;
}

/** All of a domain's state, as plain data; the overlay pages' contents included, guest RAM not. */
export interface XenSnapshot {
  readonly version: 1;
  readonly overlays: OverlaySnapshot;
  readonly domain: DomainSnapshot;
  readonly delivery: DeliverySnapshot;
  readonly events: EventChannelSnapshot;
  readonly pirqs: PirqSnapshot;
  readonly grants: GrantSnapshot;
  readonly timers: TimerSnapshot;
  readonly runstate: RunstateSnapshot;
  readonly reservation: ReservationSnapshot;
  readonly storePort: number;
  readonly consolePort: number;
}

/** Words of our own. */
const STORE_PORT = 0;
const CONSOLE_PORT = 1;

const NOWHERE = -1;

export class XenDomain implements XenParts {
  readonly config: XenConfig;
  readonly host: XenHost;
  readonly memory: GuestMemory;
  readonly overlays: Overlays;
  readonly domain: DomainState;
  readonly delivery: EventDelivery;
  readonly events: EventChannels;
  readonly pirqs: Pirqs;
  readonly grants: GrantTable;
  readonly timers: XenTimers;
  readonly runstate: Runstate;
  readonly reservation: Reservation;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #table: HypercallTable;
  readonly #call = new HypercallCall();

  constructor(parts: XenDomainParts) {
    const { arena, memory, overlays, host, config } = parts;
    const { vcpus, maxPirqs } = config;
    this.config = config;
    this.host = host;
    this.memory = memory;
    this.overlays = overlays;
    overlays.connect(host);
    this.#words = arena.int32(2);
    this.domain = new DomainState({ arena, memory, overlays, vcpus });
    this.delivery = new EventDelivery(arena, this.domain, host);
    this.events = new EventChannels({
      arena,
      domain: this.domain,
      delivery: this.delivery,
      host,
      domid: config.domid,
      maxPirqs,
    });
    this.pirqs = new Pirqs({ arena, events: this.events, host, maxPirqs });
    this.grants = new GrantTable({ arena, memory, overlays, maxFrames: config.maxGrantFrames });
    this.timers = new XenTimers(arena, this.events, host, vcpus);
    this.runstate = new Runstate({ arena, domain: this.domain, memory, overlays, host });
    this.reservation = new Reservation(arena, memory, config.ram);
    this.#table = new HypercallTable(this, parts.trace);
  }

  /** A new domain: at the machine's start and reset. vCPUs and back ends are at rest; one thread calls. */
  reset(): void {
    this.softReset();
    this.reservation.reset();
  }

  /** SHUTDOWN_soft_reset: all that the guest set up with us goes, its memory stays. As {@link reset} otherwise. */
  softReset(): void {
    this.host.kernel?.setSharedInfo(undefined);
    this.events.clear();
    this.delivery.reset();
    this.overlays.reset();
    this.domain.reset();
    this.pirqs.reset();
    this.timers.reset();
    this.runstate.reset();
    this.grants.reset({ console: this.config.console ? CONSOLE_GFN : undefined, xenstore: XENSTORE_GFN });
    this.host.kernel?.setLongMode(true);
    if (this.host.kernel === undefined) this.#writeWallclock();
    this.#retellAll();
    this.#buildDomain();
  }

  /** The store's and the console's event channel, 0 where there is none. */
  get storePort(): EvtchnPort {
    return Atomics.load(this.#words, STORE_PORT) as EvtchnPort;
  }

  get consolePort(): EvtchnPort {
    return Atomics.load(this.#words, CONSOLE_PORT) as EvtchnPort;
  }

  /** Runs one hypercall and sets `frame.result`. */
  hypercall(frame: HypercallFrame, vm: VirtualMemory): void {
    if (frame.cpl > 0) {
      frame.result = Errno.EPERM;
      return;
    }
    if (!this.domain.isUp(frame.vcpu)) {
      this.domain.noteRunning(frame.vcpu);
      this.runstate.change(frame.vcpu, RunstateKind.running);
    }
    // KVM latches by itself when the guest writes the hypercall page.
    const { kernel } = this.host;
    if (kernel !== undefined && frame.longMode !== this.domain.longMode) this.#adoptLongMode(kernel.longMode());
    vm.begin();
    this.#call.start(frame, vm);
    frame.result = this.#table.dispatch(this.#call);
  }

  /** Userspace transport: the guest wrote the hypercall MSR in this mode. */
  latchLongMode(longMode: boolean): void {
    if (longMode === this.domain.longMode) return;
    this.host.kernel?.setLongMode(longMode);
    this.#adoptLongMode(longMode);
    if (this.host.kernel === undefined) this.#writeWallclock();
  }

  mapSharedInfo(frame: number): boolean {
    this.host.kernel?.setSharedInfo(undefined);
    let mapped = true;
    if (frame === NOWHERE) this.overlays.unmap(SHARED_INFO_PAGE);
    else mapped = this.overlays.map(SHARED_INFO_PAGE, frame);
    this.#tellSharedInfo();
    this.#retellAll();
    return mapped;
  }

  vcpuInfoMoved(vcpu: VcpuId): void {
    this.#retell(vcpu);
    this.events.refreshRoutes();
  }

  /** Guest-physical address of vcpu_info, as KVM wants it; -1 for none. */
  vcpuInfoGpa(vcpu: VcpuId): number {
    return this.domain.vcpuInfoGpa(vcpu);
  }

  /** Guest-physical address of the registered time area, -1 for none. */
  vcpuTimeGpa(vcpu: VcpuId): number {
    return this.domain.timeAreaGpa(vcpu);
  }

  /** Guest-physical address of the runstate area, -1 for none that KVM could keep. */
  runstateGpa(vcpu: VcpuId): number {
    return this.runstate.areaGpa(vcpu);
  }

  /** Vector of `vcpu`'s own, 0 for none. */
  upcallVector(vcpu: VcpuId): number {
    return this.domain.upcallVector(vcpu);
  }

  /** VIRQ_TIMER's port, for KVM to raise; 0 when it must leave timers to us. */
  kernelTimerPort(vcpu: VcpuId): number {
    return this.events.kernelTimerPort(vcpu);
  }

  /** Userspace transport: the host has written the times in vcpu_info anew (after a pause, say). */
  refreshTimeArea(vcpu: VcpuId): void {
    copyTimeArea(this, vcpu);
  }

  save(): XenSnapshot {
    return {
      version: 1,
      overlays: this.overlays.save(),
      domain: this.domain.save(),
      delivery: this.delivery.save(),
      events: this.events.save(),
      pirqs: this.pirqs.save(),
      grants: this.grants.save(),
      timers: this.timers.save(),
      runstate: this.runstate.save(),
      reservation: this.reservation.save(),
      storePort: this.storePort,
      consolePort: this.consolePort,
    };
  }

  /** Puts a machine just reset into the state saved. vCPUs are at rest; back ends map and bind afterwards. */
  restore(state: XenSnapshot): void {
    this.events.clear();
    this.domain.restore(state.domain);
    this.overlays.restore(state.overlays);
    this.host.kernel?.setLongMode(this.domain.longMode);
    this.#tellSharedInfo();
    this.grants.restore(state.grants);
    this.reservation.restore(state.reservation);
    this.runstate.restore(state.runstate);
    this.pirqs.restore(state.pirqs);
    Atomics.store(this.#words, STORE_PORT, state.storePort);
    Atomics.store(this.#words, CONSOLE_PORT, state.consolePort);
    this.events.restore(state.events);
    this.#retellAll();
    this.delivery.restore(state.delivery);
    this.events.refreshRoutes();
    this.timers.restore(state.timers);
  }

  /** What the domain builder does: the store's and the console's channel and pages, told by HVM parameters. */
  #buildDomain(): void {
    const store = this.events.allocBackendPort(BackendOwner.device);
    Atomics.store(this.#words, STORE_PORT, store);
    this.domain.setParam(HvmParam.STORE_PFN, 0, XENSTORE_GFN);
    this.domain.setParam(HvmParam.STORE_EVTCHN, 0, store);
    Atomics.store(this.#words, CONSOLE_PORT, 0);
    if (!this.config.console) return;
    const port = this.events.allocBackendPort(BackendOwner.device);
    Atomics.store(this.#words, CONSOLE_PORT, port);
    this.domain.setParam(HvmParam.CONSOLE_PFN, 0, CONSOLE_GFN);
    this.domain.setParam(HvmParam.CONSOLE_EVTCHN, 0, port);
  }

  #adoptLongMode(longMode: boolean): void {
    this.domain.longMode = longMode;
  }

  #writeWallclock(): void {
    writeWallclock(this.domain.sharedInfo, this.domain.layout, this.host);
  }

  #tellSharedInfo(): void {
    const frame = this.overlays.frameOf(SHARED_INFO_PAGE);
    this.host.kernel?.setSharedInfo(frame < 0 ? undefined : (frame as Gfn));
  }

  #retellAll(): void {
    for (let vcpu = 0; vcpu < this.config.vcpus; vcpu++) this.#retell(vcpu as VcpuId);
    this.events.refreshRoutes();
  }

  /** Tells KVM, or who keeps the clock, where the things of `vcpu` are. */
  #retell(vcpu: VcpuId): void {
    if (this.host.kernel !== undefined) {
      this.host.request(vcpu, VcpuRequest.syncXen);
      return;
    }
    const info = this.domain.vcpuInfoGpa(vcpu);
    this.host.setVcpuTime(vcpu, info < 0 ? undefined : gpa(info + VCPU_INFO_TIME));
  }
}
