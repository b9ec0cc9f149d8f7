/** The monitor's commands for a Xen guest's event channels: names, arguments and rows as QEMU's. */
import type { PortStatus } from "../../index.js";
import type { Command } from "./command.js";

export const XEN_EVENTS: readonly Command[] = [
  {
    name: "xen-event-inject",
    argument: "port",
    help: "inject event channel",
    async run({ machine }, argument) {
      const port = /^(0x[0-9a-f]{1,8}|[0-9]{1,9})$/i.test(argument) ? Number(argument) : undefined;
      if (port === undefined) return "xen-event-inject: the number of a port is expected";
      return (await machine.injectEvent(port)) ? `Delivered port ${port}` : `Error: port ${port} is not in use`;
    },
  },
  {
    name: "xen-event-list",
    help: "list event channel state",
    run: async ({ machine }) => (await machine.eventPorts()).map(rowText).join("\n"),
  },
];

function rowText({ port, kind, vcpu, remoteDomain, target, pending, masked }: PortStatus): string {
  const flags = `${pending ? " PENDING" : ""}${masked ? " MASKED" : ""}`;
  return `port ${String(port).padStart(4)}: vcpu: ${vcpu} ${kind}${targetText(kind, remoteDomain, target)}${flags}`;
}

function targetText(kind: PortStatus["kind"], remoteDomain: number | undefined, target: number): string {
  switch (kind) {
    case "ipi":
      return "";
    case "pirq":
    case "virq":
      return `(${target})`;
    case "unbound":
    case "interdomain":
      return `(${remoteDomain === 0 ? "xenolith" : "loopback"}:${target})`;
  }
}
