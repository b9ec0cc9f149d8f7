/**
 * Sends that KVM carries out by itself, where it can: to a back end's eventfd, or to a port of the guest's own.
 *
 * Called under the port lock; KVM calls nothing back.
 */
import type { EvtchnPort, VcpuId } from "../shared/brand.js";
import type { EventDelivery } from "./event-delivery.js";
import type { XenHost } from "./host.js";
import { PortState, ROUTE_BACKEND, ROUTE_VCPU } from "./port-table.js";
import type { PortTable } from "./port-table.js";

export class EvtchnRoutes {
  readonly #ports: PortTable;
  readonly #delivery: EventDelivery;
  readonly #host: XenHost;

  constructor(ports: PortTable, delivery: EventDelivery, host: XenHost) {
    this.#ports = ports;
    this.#delivery = delivery;
    this.#host = host;
  }

  /** Lets KVM handle the guest's sends on `port` where it can, or takes them back where it can no longer. */
  offload(port: EvtchnPort): void {
    const { kernel } = this.#host;
    if (kernel?.sendsEvents !== true) return;
    const vcpu = this.#ports.vcpu(port) as VcpuId;
    const backend = this.#ports.state(port) === PortState.backend;
    const wanted = backend ? ROUTE_BACKEND : this.#delivery.kernelDelivers(vcpu) ? ROUTE_VCPU + vcpu : 0;
    if (wanted === this.#ports.route(port)) return;
    this.withdraw(port);
    if (wanted === 0) return;
    kernel.route(port, backend ? { kind: "backend", owner: this.#ports.owner(port) } : { kind: "port", vcpu });
    this.#ports.setRoute(port, wanted);
  }

  withdraw(port: EvtchnPort): void {
    if (this.#ports.route(port) === 0) return;
    this.#host.kernel?.route(port, undefined);
    this.#ports.setRoute(port, 0);
  }

  /** The way events are delivered has changed: offloads each port anew, or takes it back. */
  refresh(): void {
    for (let number = 1; number < this.#ports.end; number++) {
      const port = number as EvtchnPort;
      const state = this.#ports.state(port);
      if (state === PortState.ipi || state === PortState.backend) this.offload(port);
    }
  }
}
