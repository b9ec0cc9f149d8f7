/**
 * The guest's switch from 2-level to FIFO event channels and what it sets up for them; and the way back.
 *
 * [EVTCHN] xen.git xen/include/public/event_channel.h (EVTCHNOP_init_control, _expand_array, _set_priority, _reset)
 *
 * KVM delivers to 2-level bitmaps only. From the switch on it passes events, timers and polls on to us; sends to back ends
 * stay with it.
 */
import type { EvtchnPort, VcpuId } from "../shared/brand.js";
import { Errno } from "./abi/errno.js";
import type { DomainState } from "./domain.js";
import type { EventDelivery } from "./event-delivery.js";
import type { EvtchnRoutes } from "./evtchn-routes.js";
import type { FifoEvents } from "./fifo-events.js";
import { VcpuRequest } from "./host.js";
import type { XenHost } from "./host.js";
import { PortState } from "./port-table.js";
import type { PortTable } from "./port-table.js";

export interface FifoControlParts {
  readonly fifo: FifoEvents;
  readonly ports: PortTable;
  readonly routes: EvtchnRoutes;
  readonly delivery: EventDelivery;
  readonly domain: DomainState;
  readonly host: XenHost;
}

export class FifoControl {
  readonly #parts: FifoControlParts;

  constructor(parts: FifoControlParts) {
    this.#parts = parts;
  }

  /** EVTCHNOP_init_control: 0, or a negative error. */
  initControl(vcpu: number, frame: number, offset: number): number {
    const { domain, fifo, ports } = this.#parts;
    if (!domain.isVcpu(vcpu)) return Errno.ENOENT;
    return ports.locked(() => {
      const first = !fifo.active;
      const waiting = first ? this.#pendingPorts() : [];
      const result = fifo.initControl(vcpu, frame, offset);
      if (result !== 0 || !first) return result;
      // They get their words, and are delivered, when the array grows.
      for (const port of waiting) fifo.setPending(port);
      this.#tellKernel(false);
      return 0;
    });
  }

  /** EVTCHNOP_expand_array. */
  expandArray(frame: number): number {
    const { delivery, domain, fifo, ports } = this.#parts;
    const told = new Set<VcpuId>();
    const result = ports.locked(() => {
      const first = fifo.expandArray(frame);
      if (first < 0) return first;
      const end = Math.min(first + fifo.portsPerPage, ports.end);
      for (let number = first; number < end; number++) {
        const port = number as EvtchnPort;
        if (!fifo.takeHeld(port) || ports.state(port) === PortState.free) continue;
        const vcpu = ports.vcpu(port) as VcpuId;
        if (domain.isVcpu(vcpu) && delivery.mark(port, vcpu)) told.add(vcpu);
      }
      return 0;
    });
    for (const vcpu of told) delivery.upcall(vcpu);
    return result;
  }

  /** EVTCHNOP_set_priority. */
  setPriority(port: number, priority: number): number {
    const { fifo, ports } = this.#parts;
    return ports.locked(() => fifo.setPriority(port as EvtchnPort, priority));
  }

  /** Back to 2-level channels. Under the port lock; ports that those do not have are closed. */
  leave(): void {
    const { fifo } = this.#parts;
    if (!fifo.active) return;
    fifo.reset();
    this.#tellKernel(true);
  }

  /** A saved domain was restored: KVM is told what is in force. Under the port lock. */
  restored(): void {
    if (this.#parts.fifo.active) this.#tellKernel(false);
  }

  #tellKernel(delivers: boolean): void {
    const { domain, host, routes } = this.#parts;
    if (host.kernel === undefined) return;
    host.kernel.setDelivery(delivers);
    routes.refresh();
    // Timers' ports.
    for (let vcpu = 0; vcpu < domain.vcpus; vcpu++) host.request(vcpu as VcpuId, VcpuRequest.syncXen);
  }

  #pendingPorts(): readonly EvtchnPort[] {
    const { delivery, ports } = this.#parts;
    const waiting: EvtchnPort[] = [];
    for (let number = 1; number < ports.end; number++) {
      const port = number as EvtchnPort;
      if (ports.state(port) !== PortState.free && delivery.pending(port)) waiting.push(port);
    }
    return waiting;
  }
}
