/**
 * Event channels: the operations on ports, with Xen's errors, and the back ends' side of them.
 *
 * [EVTCHN] xen.git xen/include/public/event_channel.h
 *
 * The remote end of a back end's channel has the number of the guest's port: one name for both sides. A guest that closes
 * the store's port and binds to its remote end again (Windows drivers do) gets the same port back.
 *
 * State changes happen under the port lock; hosts and devices are called after it is released, except for the kernel's
 * routes, which call nothing back. Sending allocates nothing.
 */
import type { SharedArena } from "../shared/arena.js";
import type { DomId, EvtchnPort, VcpuId } from "../shared/brand.js";
import type { Lock } from "../shared/lock.js";
import { Errno } from "./abi/errno.js";
import { FIFO_CHANNELS, Priority } from "./abi/evtchn-fifo.js";
import { DOMID_BACKEND, NR_VIRQS, Virq, virqIsGlobal } from "./abi/xen.js";
import type { DomainState } from "./domain.js";
import type { EventDelivery } from "./event-delivery.js";
import type { FifoEvents, FifoSnapshot } from "./fifo-events.js";
import { EvtchnRoutes } from "./evtchn-routes.js";
import { FifoControl } from "./fifo-control.js";
import { VcpuRequest } from "./host.js";
import type { XenHost } from "./host.js";
import { PortState, PortTable } from "./port-table.js";

export interface EventChannelParts {
  readonly arena: SharedArena;
  readonly domain: DomainState;
  readonly delivery: EventDelivery;
  readonly fifo: FifoEvents;
  readonly host: XenHost;
  readonly domid: DomId;
  readonly maxPirqs: number;
}

export interface EventChannelSnapshot {
  readonly ports: readonly number[];
  readonly virqs: readonly number[];
  readonly pirqs: readonly number[];
  readonly fifo: FifoSnapshot;
}

const PERMANENT = 1;
/** To `raise`: whatever the port's value. */
const ANY = -1;

/** What is left to do for an event once the lock is released. */
const Next = { nothing: 0, upcall: 1, kernel: 2 } as const;
type Next = (typeof Next)[keyof typeof Next];

export class EventChannels {
  readonly #domain: DomainState;
  readonly #delivery: EventDelivery;
  readonly #fifo: FifoEvents;
  readonly #host: XenHost;
  readonly #domid: DomId;
  readonly #lock: Lock;
  readonly #ports: PortTable;
  readonly #routes: EvtchnRoutes;
  /** The operations of FIFO channels. */
  readonly fifo: FifoControl;
  /** Port of each virtual interrupt: [vcpu][virq]; global ones in vCPU 0's row. 0 is unbound. */
  readonly #virqs: Int32Array<SharedArrayBuffer>;
  /** Port of each physical interrupt, 0 when unbound. */
  readonly #pirqs: Int32Array<SharedArrayBuffer>;

  constructor(parts: EventChannelParts) {
    this.#domain = parts.domain;
    this.#delivery = parts.delivery;
    this.#fifo = parts.fifo;
    this.#host = parts.host;
    this.#domid = parts.domid;
    this.#ports = new PortTable(parts.arena);
    this.#lock = this.#ports.lock;
    this.#routes = new EvtchnRoutes(this.#ports, parts.delivery, parts.host);
    this.fifo = new FifoControl({ ...parts, ports: this.#ports, routes: this.#routes });
    this.#virqs = parts.arena.int32(parts.domain.vcpus * NR_VIRQS);
    this.#pirqs = parts.arena.int32(parts.maxPirqs);
  }

  /** Every port is free: power-on, and soft reset. */
  clear(): void {
    for (let port = 1; port < this.#ports.end; port++) this.#routes.withdraw(port as EvtchnPort);
    this.#ports.clear();
    this.#virqs.fill(0);
    this.#pirqs.fill(0);
    this.fifo.leave();
  }

  /** EVTCHNOP_alloc_unbound: a port, or a negative error. */
  allocUnbound(remoteDomain: number): number {
    if (remoteDomain !== DOMID_BACKEND && remoteDomain !== this.#domid) return Errno.EPERM;
    return this.#ports.locked(() => {
      const port = this.#ports.findFree(this.limit);
      if (port === 0) return Errno.ENOSPC;
      this.#open(port, PortState.unbound, remoteDomain);
      return port;
    });
  }

  /** EVTCHNOP_bind_interdomain. An event may have been lost before there was a local end: it is raised to be sure. */
  bindInterdomain(remoteDomain: number, remotePort: number): number {
    if (remoteDomain !== DOMID_BACKEND && remoteDomain !== this.#domid) return Errno.ESRCH;
    this.#lock.acquire();
    let port: EvtchnPort;
    let told: boolean;
    try {
      if (!this.#isPort(remotePort)) return Errno.EINVAL;
      if (remoteDomain === DOMID_BACKEND) {
        if (this.#ports.state(remotePort) !== PortState.backendClosed) return Errno.EINVAL;
        port = remotePort;
        this.#ports.set(port, PortState.backend, this.#ports.value(port), this.#ports.owner(port));
        this.#routes.offload(port);
      } else {
        port = this.#ports.findFree(this.limit);
        if (port === 0) return Errno.ENOSPC;
        if (this.#ports.state(remotePort) !== PortState.unbound || this.#ports.value(remotePort) !== this.#domid) {
          return Errno.EINVAL;
        }
        this.#open(port, PortState.loopback, remotePort);
        this.#ports.change(remotePort, PortState.loopback, port);
      }
      told = this.#delivery.mark(port, 0 as VcpuId);
    } finally {
      this.#lock.release();
    }
    if (told) this.#delivery.upcall(0 as VcpuId);
    return port;
  }

  /** EVTCHNOP_bind_virq. */
  bindVirq(virq: number, vcpu: number): number {
    if (virq >= NR_VIRQS) return Errno.EINVAL;
    if (virqIsGlobal(virq) && vcpu !== 0) return Errno.EINVAL;
    if (!this.#domain.isVcpu(vcpu)) return Errno.ENOENT;
    return this.#ports.locked(() => {
      if (this.#virqs[vcpu * NR_VIRQS + virq] !== 0) return Errno.EEXIST;
      const port = this.#ports.findFree(this.limit);
      if (port === 0) return Errno.ENOSPC;
      this.#open(port, PortState.virq, virq);
      this.#ports.setVcpu(port, vcpu);
      this.#setVirq(vcpu, virq, port);
      return port;
    });
  }

  /** EVTCHNOP_bind_ipi. */
  bindIpi(vcpu: number): number {
    if (!this.#domain.isVcpu(vcpu)) return Errno.ENOENT;
    return this.#ports.locked(() => {
      const port = this.#ports.findFree(this.limit);
      if (port === 0) return Errno.ENOSPC;
      this.#open(port, PortState.ipi, 0);
      this.#ports.setVcpu(port, vcpu);
      this.#routes.offload(port);
      return port;
    });
  }

  /** EVTCHNOP_bind_pirq. `shared` is the guest's word that the line is level-triggered. */
  bindPirq(pirq: number, shared: boolean): number {
    if (pirq >= this.#pirqs.length) return Errno.EINVAL;
    this.#lock.acquire();
    try {
      if (this.#pirqs[pirq] !== 0) return Errno.EEXIST;
      const port = this.#ports.findFree(this.limit);
      if (port === 0) return Errno.ENOSPC;
      this.#open(port, PortState.pirq, pirq, shared ? 1 : 0);
      Atomics.store(this.#pirqs, pirq, port);
      return port;
    } finally {
      this.#lock.release();
    }
  }

  /** EVTCHNOP_close by the guest. */
  close(port: number): number {
    this.#lock.acquire();
    try {
      if (!this.#isPort(port) || !this.#isOpen(port)) return Errno.EINVAL;
      this.#close(port);
      return 0;
    } finally {
      this.#lock.release();
    }
  }

  /** EVTCHNOP_send. An unbound port swallows events, as nobody listens yet. */
  send(port: number): number {
    this.#lock.acquire();
    let target = 0 as EvtchnPort;
    let vcpu = 0 as VcpuId;
    let owner = -1;
    let next: Next = Next.nothing;
    try {
      if (!this.#isPort(port)) return Errno.EINVAL;
      switch (this.#ports.state(port)) {
        case PortState.backend:
          owner = this.#ports.owner(port);
          break;
        case PortState.loopback:
          target = this.#ports.value(port) as EvtchnPort;
          break;
        case PortState.ipi:
          target = port;
          break;
        case PortState.unbound:
          return 0;
        default:
          return Errno.EINVAL;
      }
      if (target !== 0) {
        vcpu = this.#ports.vcpu(target) as VcpuId;
        next = this.#mark(target, vcpu);
      }
    } finally {
      this.#lock.release();
    }
    if (owner >= 0) this.#host.signalBackend(port, owner);
    else this.#finish(target, vcpu, next);
    return 0;
  }

  /** EVTCHNOP_status: `EvtchnStat`, or a negative error. The rest is in {@link vcpuOf} and the two that follow. */
  status(port: number): number {
    return this.#isPort(port) ? this.#ports.status(port) : Errno.EINVAL;
  }

  vcpuOf(port: EvtchnPort): number {
    return this.#ports.vcpu(port);
  }

  /** Remote domain of an unbound or interdomain port. */
  remoteDomainOf(port: EvtchnPort): number {
    const state = this.#ports.state(port);
    if (state === PortState.unbound) return this.#ports.value(port);
    return state === PortState.backend ? DOMID_BACKEND : this.#domid;
  }

  /** Remote port, pirq or virq. */
  targetOf(port: EvtchnPort): number {
    return this.#ports.state(port) === PortState.backend ? port : this.#ports.value(port);
  }

  /** EVTCHNOP_bind_vcpu: not for ports whose vCPU is part of what they are. */
  bindVcpu(port: number, vcpu: number): number {
    if (!this.#domain.isVcpu(vcpu)) return Errno.ENOENT;
    this.#lock.acquire();
    let told: boolean;
    try {
      if (!this.#isPort(port)) return Errno.EINVAL;
      switch (this.#ports.state(port)) {
        case PortState.unbound:
        case PortState.loopback:
        case PortState.backend:
        case PortState.pirq:
          break;
        case PortState.virq:
          if (!virqIsGlobal(this.#ports.value(port))) return Errno.EINVAL;
          break;
        default:
          return Errno.EINVAL;
      }
      this.#ports.setVcpu(port, vcpu);
      // An event that waits was marked for the old vCPU, which may never look again.
      told = this.#delivery.markIfPending(port, vcpu);
    } finally {
      this.#lock.release();
    }
    if (told) this.#delivery.upcall(vcpu);
    return 0;
  }

  /** EVTCHNOP_unmask: as the guest clearing the bit itself, but an event that waits is delivered. */
  unmask(port: number): number {
    this.#lock.acquire();
    let vcpu: VcpuId;
    let told: boolean;
    try {
      if (!this.#isPort(port)) return Errno.EINVAL;
      vcpu = this.#ports.vcpu(port) as VcpuId;
      told = this.#delivery.clearMask(port) && this.#delivery.markIfPending(port, vcpu);
    } finally {
      this.#lock.release();
    }
    if (told) this.#delivery.upcall(vcpu);
    return 0;
  }

  /** EVTCHNOP_reset: closes all but the store's and the console's channels, and goes back to 2-level ones. */
  closeAll(): void {
    this.#lock.acquire();
    try {
      for (let number = 1; number < this.end; number++) {
        const port = number as EvtchnPort;
        const permanent = this.#ports.state(port) === PortState.backend && this.#ports.value(port) === PERMANENT;
        if (!permanent && this.#isOpen(port)) this.#close(port);
      }
      this.fifo.leave();
    } finally {
      this.#lock.release();
    }
  }

  /** Back end: takes the remote end of `port`, which the guest allocated for us. False when it did not. */
  bindBackend(port: EvtchnPort, owner: number): boolean {
    return this.#ports.locked(() => {
      if (!this.#isPort(port) || this.#ports.state(port) !== PortState.unbound) return false;
      if (this.#ports.value(port) !== DOMID_BACKEND) return false;
      this.#ports.change(port, PortState.backend, 0, owner);
      this.#routes.offload(port);
      return true;
    });
  }

  /** Back end: lets go of the remote end; the guest's end waits for another. */
  unbindBackend(port: EvtchnPort): void {
    this.#lock.acquire();
    try {
      const state = this.#isPort(port) ? this.#ports.state(port) : PortState.free;
      this.#routes.withdraw(port);
      if (state === PortState.backend) this.#ports.change(port, PortState.unbound, DOMID_BACKEND);
      else if (state === PortState.backendClosed) this.#ports.set(port, PortState.free, 0);
    } finally {
      this.#lock.release();
    }
  }

  /** Back end: raises the guest's end. Nothing happens on a port that is not a back end's. */
  notifyGuest(port: EvtchnPort): void {
    this.#raise(port, PortState.backend, ANY);
  }

  /** Raises the guest's end of `port` for a person, whatever raises it else. False when it has no end that could. */
  inject(port: number): boolean {
    const state = this.#isPort(port) && this.#isOpen(port) ? this.#ports.state(port) : PortState.unbound;
    if (state === PortState.unbound) return false;
    this.#raise(port, state, ANY);
    return true;
  }

  /** A port that exists from the domain's start and outlives EVTCHNOP_reset: the store's, the console's. 0 when full. */
  allocBackendPort(owner: number): EvtchnPort {
    return this.#ports.locked(() => {
      const port = this.#ports.findFree(this.limit);
      if (port === 0) return port;
      this.#open(port, PortState.backend, PERMANENT, owner);
      this.#routes.offload(port);
      return port;
    });
  }

  /** Raises a virtual interrupt; lost when the guest has not bound it. Global ones go where the guest bound them. */
  raiseVirq(vcpu: VcpuId, virq: number): void {
    const row = virqIsGlobal(virq) ? 0 : vcpu;
    this.#raise(Atomics.load(this.#virqs, row * NR_VIRQS + virq), PortState.virq, virq);
  }

  /** Raises a physical interrupt. */
  raisePirq(pirq: number): void {
    this.#raise(this.pirqPort(pirq), PortState.pirq, pirq);
  }

  /** Port that a physical interrupt is bound to, 0 for none. */
  pirqPort(pirq: number): number {
    return Atomics.load(this.#pirqs, pirq);
  }

  /** Whether the guest bound the interrupt as a level-triggered one. */
  pirqShared(pirq: number): boolean {
    const port = this.pirqPort(pirq) as EvtchnPort;
    return port !== 0 && this.#ports.owner(port) !== 0;
  }

  /** Port of VIRQ_TIMER that KVM may raise by itself, 0 when it must not. */
  kernelTimerPort(vcpu: VcpuId): number {
    return this.#delivery.kernelDelivers(vcpu) ? Atomics.load(this.#virqs, vcpu * NR_VIRQS + Virq.timer) : 0;
  }

  /** The way events are delivered has changed: offloads each port to KVM, or takes it back. */
  refreshRoutes(): void {
    this.#ports.locked(() => {
      this.#routes.refresh();
    });
  }

  save(): EventChannelSnapshot {
    return {
      ports: this.#ports.save(),
      virqs: Array.from(this.#virqs),
      pirqs: Array.from(this.#pirqs),
      fifo: this.#fifo.save(),
    };
  }

  restore(state: EventChannelSnapshot): void {
    this.#ports.restore(state.ports);
    this.#virqs.set(state.virqs);
    this.#pirqs.set(state.pirqs);
    this.#fifo.restore(state.fifo);
    this.fifo.restored();
    this.refreshRoutes();
  }

  /** Ports are below it. */
  get limit(): number {
    return this.#fifo.active ? FIFO_CHANNELS : this.#domain.layout.maxPorts;
  }

  /** No port at or above it is in use. */
  get end(): number {
    return this.#ports.end;
  }

  #isPort(port: number): port is EvtchnPort {
    return port > 0 && port < this.limit;
  }

  #isOpen(port: EvtchnPort): boolean {
    const state = this.#ports.state(port);
    return state !== PortState.free && state !== PortState.backendClosed;
  }

  /** A port starts without an event of its former life. */
  #open(port: EvtchnPort, state: PortState, value: number, owner = 0): void {
    this.#delivery.clearPending(port);
    this.#fifo.setPriority(port, Priority.default);
    this.#ports.set(port, state, value, owner);
  }

  #close(port: EvtchnPort): void {
    const value = this.#ports.value(port);
    this.#routes.withdraw(port);
    switch (this.#ports.state(port)) {
      case PortState.backend:
        this.#ports.set(port, PortState.backendClosed, value, this.#ports.owner(port));
        this.#delivery.clearPending(port);
        return;
      case PortState.loopback:
        this.#ports.change(value as EvtchnPort, PortState.unbound, this.#domid);
        break;
      case PortState.virq:
        this.#setVirq(virqIsGlobal(value) ? 0 : this.#ports.vcpu(port), value, 0);
        break;
      case PortState.pirq:
        Atomics.store(this.#pirqs, value, 0);
        break;
      default:
    }
    this.#ports.set(port, PortState.free, 0);
    this.#delivery.clearPending(port);
  }

  #setVirq(vcpu: number, virq: number, port: number): void {
    Atomics.store(this.#virqs, vcpu * NR_VIRQS + virq, port);
    if (virq === Virq.timer && this.#host.kernel !== undefined) {
      this.#host.request(vcpu as VcpuId, VcpuRequest.syncXen);
    }
  }

  /** Raises `port` if it still is what the caller takes it for. */
  #raise(port: number, state: PortState, value: number): void {
    this.#lock.acquire();
    let vcpu: VcpuId;
    let next: Next;
    try {
      if (!this.#isPort(port) || this.#ports.state(port) !== state) return;
      if (value !== ANY && this.#ports.value(port) !== value) return;
      vcpu = this.#ports.vcpu(port) as VcpuId;
      next = this.#mark(port, vcpu);
    } finally {
      this.#lock.release();
    }
    this.#finish(port, vcpu, next);
  }

  /** Under the lock: sets the bits, or leaves them to KVM. `#finish` does the rest after the lock. */
  #mark(port: EvtchnPort, vcpu: VcpuId): Next {
    if (this.#delivery.kernelDelivers(vcpu)) return Next.kernel;
    return this.#delivery.mark(port, vcpu) ? Next.upcall : Next.nothing;
  }

  #finish(port: EvtchnPort, vcpu: VcpuId, next: Next): void {
    if (next === Next.upcall) this.#delivery.upcall(vcpu);
    else if (next === Next.kernel) {
      this.#host.kernel?.send(port, vcpu);
      if (this.#ports.vcpu(port) !== vcpu) this.#follow(port);
    }
  }

  /** The guest has bound `port` to another vCPU, which found no event yet, while KVM told the old one, which need not look. */
  #follow(port: EvtchnPort): void {
    const vcpu = this.#ports.vcpu(port) as VcpuId;
    const told = this.#ports.locked(() => this.#isPort(port) && this.#delivery.markIfPending(port, vcpu));
    if (told) this.#delivery.upcall(vcpu);
  }
}
