/** The event channels in use, as rows for monitors. */
import type { EvtchnPort } from "../shared/brand.js";
import { EvtchnStat } from "./abi/event-channel.js";
import type { EventChannels } from "./event-channels.js";
import type { EventDelivery } from "./event-delivery.js";

export interface PortStatus {
  readonly port: EvtchnPort;
  readonly kind: "unbound" | "interdomain" | "pirq" | "virq" | "ipi";
  readonly vcpu: number;
  /** Remote domain; undefined unless unbound or interdomain. */
  readonly remoteDomain: number | undefined;
  /** Remote port, pirq or virq; 0 where there is none. */
  readonly target: number;
  readonly pending: boolean;
  readonly masked: boolean;
}

const KINDS: Readonly<Record<number, PortStatus["kind"] | undefined>> = {
  [EvtchnStat.unbound]: "unbound",
  [EvtchnStat.interdomain]: "interdomain",
  [EvtchnStat.pirq]: "pirq",
  [EvtchnStat.virq]: "virq",
  [EvtchnStat.ipi]: "ipi",
};

/** Each port by itself is consistent; the guest may change others meanwhile. */
export function listPorts(events: EventChannels, delivery: EventDelivery): readonly PortStatus[] {
  const rows: PortStatus[] = [];
  for (let number = 1; number < events.end; number++) {
    const port = number as EvtchnPort;
    const kind = KINDS[events.status(port)];
    if (kind === undefined) continue;
    const remote = kind === "unbound" || kind === "interdomain";
    rows.push({
      port,
      kind,
      vcpu: events.vcpuOf(port),
      remoteDomain: remote ? events.remoteDomainOf(port) : undefined,
      target: kind === "unbound" || kind === "ipi" ? 0 : events.targetOf(port),
      pending: delivery.pending(port),
      masked: delivery.masked(port),
    });
  }
  return rows;
}
