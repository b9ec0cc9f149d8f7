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
import { FifoEvents } from "./fifo-events.js";
import { GrantTable } from "./grant-table.js";
import type { GrantSnapshot } from "./grant-table.js";
import { BackendOwner, VcpuRequest } from "./host.js";
import type { XenHost } from "./host.js";
import { HypercallCall } from "./hypercalls/call.js";
import type { HypercallFrame } from "./hypercalls/call.js";
import { HypercallRewrite } from "./hypercall-rewrite.js";
import { HypercallTable } from "./hypercalls/table.js";
import { MemoryMap } from "./memory-map.js";
import type { MemoryMapSnapshot } from "./memory-map.js";
import { MovedFrames } from "./moved-frames.js";
import type { Overlays, OverlaySnapshot } from "./overlays.js";
import type { XenParts } from "./parts.js";
import { Pirqs } from "./pirq.js";
import type { PirqSnapshot } from "./pirq.js";
import { Reservation } from "./reservation.js";
import type { ReservationSnapshot } from "./reservation.js";
import { Runstate } from "./runstate.js";
import type { RunstateSnapshot } from "./runstate.js";
import { copyTimeArea, keepTimes, moveTimeBack } from "./time-area.js";
import { XenTimers } from "./timers.js";
import type { TimerSnapshot } from "./timers.js";
import { VcpuStates } from "./vcpu-states.js";
import type { VcpuStatesSnapshot } from "./vcpu-states.js";
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
  readonly memoryMap: MemoryMapSnapshot;
  readonly vcpuStates: VcpuStatesSnapshot;
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
  readonly moved: MovedFrames;
  readonly domain: DomainState;
  readonly delivery: EventDelivery;
  readonly events: EventChannels;
  readonly pirqs: Pirqs;
  readonly grants: GrantTable;
  readonly timers: XenTimers;
  readonly runstate: Runstate;
  readonly reservation: Reservation;
  readonly memoryMap: MemoryMap;
  readonly vcpuStates: VcpuStates;
  readonly rewrite: HypercallRewrite;
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
    this.moved = new MovedFrames(overlays);
    this.#words = arena.int32(2);
    this.domain = new DomainState({ arena, memory, overlays, vcpus });
    const fifo = new FifoEvents(arena, memory, vcpus);
    this.delivery = new EventDelivery(arena, this.domain, fifo, host);
    this.events = new EventChannels({
      arena,
      domain: this.domain,
      delivery: this.delivery,
      fifo,
      host,
      domid: config.domid,
      maxPirqs,
    });
    this.pirqs = new Pirqs({ arena, events: this.events, host, maxPirqs });
    this.grants = new GrantTable({ arena, memory, overlays, maxFrames: config.maxGrantFrames });
    this.timers = new XenTimers(arena, this.domain, this.events, host);
    this.vcpuStates = new VcpuStates(arena, vcpus);
    this.runstate = new Runstate({ arena, domain: this.domain, vcpuStates: this.vcpuStates, memory, overlays, host });
    this.reservation = new Reservation(arena, config.ram);
    this.memoryMap = new MemoryMap(arena, config.memoryMap);
    this.rewrite = new HypercallRewrite(arena, memory);
    this.#table = new HypercallTable(this, parts.trace);
  }

  /** A new domain: at the machine's start and reset. vCPUs and back ends are at rest; one thread calls. */
  reset(): void {
    this.vcpuStates.reset();
    this.#clear();
    this.moved.reset();
    this.reservation.reset();
  }

  /** SHUTDOWN_soft_reset: all that the guest set up with us goes, its memory and vCPUs stay. As {@link reset} otherwise. */
  softReset(): void {
    this.vcpuStates.noteSoftReset();
    const putTimes = keepTimes(this);
    this.#clear();
    putTimes();
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
      frame.again = false;
      return;
    }
    if (!this.vcpuStates.isUp(frame.vcpu)) this.vcpuStarted(frame.vcpu);
    vm.begin();
    this.#call.start(frame, vm);
    frame.result = this.#table.dispatch(this.#call);
    const { again } = this.#call;
    frame.again = again > 0;
    for (let i = 0; i < again; i++) frame.set(i, this.#call.hi(i), this.#call.lo(i));
  }

  /** `vcpu` has been seen to run. */
  vcpuStarted(vcpu: VcpuId): void {
    if (this.vcpuStates.noteStarted(vcpu)) this.runstate.change(vcpu, RunstateKind.running);
  }

  /** The guest wrote the hypercall MSR, or set its callback, in this mode. */
  latchLongMode(longMode: boolean): void {
    if (longMode === this.domain.longMode) return;
    this.host.kernel?.setLongMode(longMode);
    this.domain.longMode = longMode;
    if (this.host.kernel === undefined) this.#writeWallclock();
  }

  mapSharedInfo(frame: number): boolean {
    const follows = this.host.kernel?.findsSharedInfo === true;
    if (!follows) this.host.kernel?.setSharedInfo(undefined);
    let mapped = true;
    if (frame === NOWHERE) this.overlays.unmap(SHARED_INFO_PAGE);
    else mapped = this.overlays.map(SHARED_INFO_PAGE, frame);
    if (!follows) this.#tellSharedInfo();
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

  /** Where in our page of shared_info the vcpu_info of `vcpu` lies, in bytes; -1 when it lies elsewhere. */
  vcpuInfoInPage(vcpu: VcpuId): number {
    return this.domain.vcpuInfoInPage(vcpu);
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
    return this.timers.singleshotWaits(vcpu) ? 0 : this.events.kernelTimerPort(vcpu);
  }

  /** Userspace transport: the host has written the time in vcpu_info anew. */
  refreshTimeArea(vcpu: VcpuId): void {
    copyTimeArea(this, vcpu);
  }

  /** Userspace transport: the host is about to, after a pause by whose `ns` the guest's clock is set back. */
  moveTimeBack(vcpu: VcpuId, ns: number): void {
    moveTimeBack(this, vcpu, ns);
  }

  /** After a pause the guest's clock has gone on from where it stood; the time of day has not stood. */
  renewWallclock(): void {
    if (this.host.kernel === undefined) this.#writeWallclock();
    else this.#tellSharedInfo();
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
      memoryMap: this.memoryMap.save(),
      vcpuStates: this.vcpuStates.save(),
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
    this.memoryMap.restore(state.memoryMap);
    this.vcpuStates.restore(state.vcpuStates);
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

  /** Takes away all that the guest set up with us. */
  #clear(): void {
    this.host.kernel?.setSharedInfo(undefined);
    this.events.clear();
    this.delivery.reset();
    this.overlays.reset();
    this.domain.reset();
    this.pirqs.reset();
    this.timers.reset();
    this.runstate.reset();
    this.memoryMap.reset();
    this.rewrite.reset();
    this.grants.reset({ console: this.config.console ? CONSOLE_GFN : undefined, xenstore: XENSTORE_GFN });
    this.host.kernel?.setLongMode(true);
    this.host.kernel?.setRunstateUpdateFlag(false);
    this.#tellSharedInfo();
    if (this.host.kernel === undefined) this.#writeWallclock();
    this.#retellAll();
    this.#buildDomain();
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

  #writeWallclock(): void {
    writeWallclock(this.domain.sharedInfo, this.domain.layout, this.host);
  }

  #tellSharedInfo(): void {
    const { kernel } = this.host;
    const frame = this.overlays.frameOf(SHARED_INFO_PAGE);
    if (kernel?.findsSharedInfo === true) kernel.setSharedInfo("page");
    else kernel?.setSharedInfo(frame < 0 ? undefined : (frame as Gfn));
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
