/** event_channel_op. [EVTCHN] xen.git xen/include/public/event_channel.h */
import * as abi from "../../../../xen/abi/event-channel.js";
import * as fifo from "../../../../xen/abi/evtchn-fifo.js";
import { BACKEND, EEXIST, EINVAL, ENOENT, EOPNOTSUPP, EPERM, ESRCH, NO_VCPU, SELF, STRANGER } from "./errno.js";
import { Family } from "./family.js";
import type { Call, Row } from "./row.js";
import { atLeast, frameOf, OTHER_VCPU, saved, THIS_VCPU } from "./value.js";

const family = new Family({ name: "event_channel_op", number: 32, source: "event-channel-op.ts", pointer: 1 });
const LEAKS = { leaks: "the port that was bound could not be told, and stays" };

const op = {
  bindInterdomain: family.operation(
    { number: 0, name: "EVTCHNOP_bind_interdomain" },
    "inout",
    abi.bindInterdomain,
    LEAKS,
  ),
  bindVirq: family.operation({ number: 1, name: "EVTCHNOP_bind_virq" }, "inout", abi.bindVirq, LEAKS),
  bindPirq: family.operation({ number: 2, name: "EVTCHNOP_bind_pirq" }, "inout", abi.bindPirq, LEAKS),
  close: family.operation({ number: 3, name: "EVTCHNOP_close" }, "in", abi.portArgument),
  send: family.operation({ number: 4, name: "EVTCHNOP_send" }, "in", abi.portArgument, { byKvm: true }),
  status: family.operation({ number: 5, name: "EVTCHNOP_status" }, "inout", abi.evtchnStatus),
  allocUnbound: family.operation({ number: 6, name: "EVTCHNOP_alloc_unbound" }, "inout", abi.allocUnbound, LEAKS),
  bindIpi: family.operation({ number: 7, name: "EVTCHNOP_bind_ipi" }, "inout", abi.bindIpi, LEAKS),
  bindVcpu: family.operation({ number: 8, name: "EVTCHNOP_bind_vcpu" }, "in", abi.bindVcpu),
  unmask: family.operation({ number: 9, name: "EVTCHNOP_unmask" }, "in", abi.portArgument),
  reset: family.operation({ number: 10, name: "EVTCHNOP_reset" }, "in", abi.evtchnReset),
  initControl: family.operation({ number: 11, name: "EVTCHNOP_init_control" }, "inout", fifo.initControl),
  expandArray: family.operation({ number: 12, name: "EVTCHNOP_expand_array" }, "in", fifo.expandArray),
  setPriority: family.operation({ number: 13, name: "EVTCHNOP_set_priority" }, "in", fifo.setPriority),
};

/** Slots of ports. */
const FIRST = 0;
const SECOND = 1;
const CLOSED = 3;

/** EVTCHNSTAT_*. */
const STAT_UNBOUND = 1;
const STAT_INTERDOMAIN = 2;
const STAT_PIRQ = 3;
const STAT_VIRQ = 4;
const STAT_IPI = 5;

/** VIRQ_*: one for each vCPU (XENOPROF), one for the domain (ARCH_0); nobody else binds them. */
const PER_VCPU_VIRQ = 7;
const GLOBAL_VIRQ = 16;
const NR_VIRQS = 24;
const MAX_PIRQS = 256;
/** A GSI without a device. */
const FREE_PIRQ = 23;

const FIFO_CHANNELS = 1 << 17;

const port = (slot: number, number = "port"): Record<number, string> => ({ [slot]: number });
const close = (slot = FIRST): Call => op.close.call({ port: saved(slot) });
const ipi = (slot = FIRST): Call => op.bindIpi.call({ vcpu: THIS_VCPU }, 0, { save: port(slot) });
const unbound = (remoteDom = SELF, slot = FIRST): Call =>
  op.allocUnbound.call({ dom: SELF, remoteDom }, 0, { save: port(slot) });
const virq = (number: number): Call => op.bindVirq.call({ virq: number, vcpu: 0 }, 0, { save: port(FIRST) });
/** A port that is closed. */
const closed: readonly Call[] = [ipi(CLOSED), close(CLOSED)];

/** E1 of each operation on one port. */
function badPorts(row: (name: string, port: number) => Row): readonly Row[] {
  return [0, FIFO_CHANNELS, 0x8000_0000, 0xffff_ffff].map((number) => row(`E1: refuses port ${number}`, number));
}

const IN_USE = "the running guest's events are 2-level ones, and go on";

export const eventChannelOpTable = family.table([
  op.bindInterdomain.table("joins a new port to an unbound one, and raises it; to the back ends' domain too", [
    op.bindInterdomain.row("joins two ports of the domain", { remoteDom: SELF, remotePort: saved(FIRST) }, 0, {
      first: [unbound()],
      after: { localPort: atLeast(1) },
      save: port(SECOND, "localPort"),
      last: [close(SECOND), close()],
    }),
    op.bindInterdomain.row("E6: refuses another domain", { remoteDom: STRANGER, remotePort: 1 }, ESRCH),
    op.bindInterdomain.row(
      "E6: refuses a port that is not unbound",
      { remoteDom: SELF, remotePort: saved(FIRST) },
      EINVAL,
      {
        first: [ipi()],
        last: [close()],
      },
    ),
    op.bindInterdomain.row(
      "E6: refuses a port that waits for another domain",
      { remoteDom: SELF, remotePort: saved(FIRST) },
      EINVAL,
      { first: [unbound(BACKEND)], last: [close()] },
    ),
    ...badPorts((name, remotePort) => op.bindInterdomain.row(name, { remoteDom: SELF, remotePort }, EINVAL)),
  ]),
  op.bindVirq.table("gives a virtual interrupt a port: of a vCPU, or on vCPU 0 of the domain", [
    op.bindVirq.row("binds one of a vCPU", { virq: PER_VCPU_VIRQ, vcpu: THIS_VCPU }, 0, {
      after: { port: atLeast(1) },
      save: port(FIRST),
      last: [close()],
    }),
    op.bindVirq.row("binds one of another vCPU", { virq: PER_VCPU_VIRQ, vcpu: OTHER_VCPU }, 0, {
      vcpus: 2,
      save: port(FIRST),
      last: [close()],
    }),
    op.bindVirq.row("E4: refuses one out of range", { virq: NR_VIRQS, vcpu: 0 }, EINVAL),
    op.bindVirq.row("E4: refuses number 2^32-1", { virq: 0xffff_ffff, vcpu: 0 }, EINVAL),
    op.bindVirq.row("E4: refuses one that is bound", { virq: GLOBAL_VIRQ, vcpu: 0 }, EEXIST, {
      first: [virq(GLOBAL_VIRQ)],
      last: [close()],
    }),
    op.bindVirq.row("E4: refuses one of the domain on vCPU 1", { virq: GLOBAL_VIRQ, vcpu: 1 }, EINVAL, { vcpus: 2 }),
    op.bindVirq.row("E4: refuses a vCPU that is not", { virq: PER_VCPU_VIRQ, vcpu: NO_VCPU }, ENOENT),
  ]),
  op.bindPirq.table("gives a physical interrupt a port", [
    op.bindPirq.row("binds one", { pirq: FREE_PIRQ, flags: 0 }, 0, {
      after: { port: atLeast(1) },
      save: port(FIRST),
      last: [close()],
    }),
    op.bindPirq.row("E16: refuses one that is bound", { pirq: FREE_PIRQ, flags: 0 }, EEXIST, {
      first: [op.bindPirq.call({ pirq: FREE_PIRQ, flags: 1 }, 0, { save: port(FIRST) })],
      last: [close()],
    }),
    op.bindPirq.row("E16: refuses one out of range", { pirq: MAX_PIRQS, flags: 0 }, EINVAL),
    op.bindPirq.row("E16: refuses number 2^32-1", { pirq: 0xffff_ffff, flags: 0 }, EINVAL),
  ]),
  op.close.table("gives a port back; the other end of a pair waits again", [
    op.close.row("closes a port", { port: saved(FIRST) }, 0, { first: [ipi()], ifRefused: [close()] }),
    op.close.row("refuses a port that is closed", { port: saved(CLOSED) }, EINVAL, { first: closed }),
    ...badPorts((name, number) => op.close.row(name, { port: number }, EINVAL)),
  ]),
  op.send.table("raises the other end: an IPI's vCPU, the domain's other port, a back end", [
    op.send.row("raises an IPI", { port: saved(FIRST) }, 0, { first: [ipi()], last: [close()] }),
    op.send.row("raises an IPI of another vCPU", { port: saved(FIRST) }, 0, {
      first: [op.bindIpi.call({ vcpu: OTHER_VCPU }, 0, { save: port(FIRST) })],
      last: [close()],
      vcpus: 2,
    }),
    op.send.row("E3: is silent on an unbound port", { port: saved(FIRST) }, 0, {
      first: [unbound(BACKEND)],
      last: [close()],
    }),
    op.send.row("E3: refuses a closed port", { port: saved(CLOSED) }, EINVAL, { first: closed }),
    op.send.row("E3: refuses a virtual interrupt's", { port: saved(FIRST) }, EINVAL, {
      first: [virq(GLOBAL_VIRQ)],
      last: [close()],
    }),
    ...badPorts((name, number) => op.send.row(name, { port: number }, EINVAL)),
  ]),
  op.status.table("tells what a port is bound to, and its vCPU", [
    op.status.row("tells of an IPI", { dom: SELF, port: saved(FIRST) }, 0, {
      first: [ipi()],
      after: { status: STAT_IPI, vcpu: THIS_VCPU },
      last: [close()],
    }),
    op.status.row("tells of an unbound port", { dom: SELF, port: saved(FIRST) }, 0, {
      first: [unbound(BACKEND)],
      after: { status: STAT_UNBOUND, value: BACKEND },
      last: [close()],
    }),
    op.status.row("tells of a pair", { dom: SELF, port: saved(FIRST) }, 0, {
      first: [
        unbound(),
        op.bindInterdomain.call({ remoteDom: SELF, remotePort: saved(FIRST) }, 0, { save: port(SECOND, "localPort") }),
      ],
      after: { status: STAT_INTERDOMAIN, remotePort: saved(SECOND) },
      last: [close(SECOND), close()],
    }),
    op.status.row("tells of a virtual interrupt", { dom: SELF, port: saved(FIRST) }, 0, {
      first: [virq(GLOBAL_VIRQ)],
      after: { status: STAT_VIRQ, value: GLOBAL_VIRQ },
      last: [close()],
    }),
    op.status.row("tells of a physical interrupt", { dom: SELF, port: saved(FIRST) }, 0, {
      first: [op.bindPirq.call({ pirq: FREE_PIRQ, flags: 0 }, 0, { save: port(FIRST) })],
      after: { status: STAT_PIRQ, value: FREE_PIRQ },
      last: [close()],
    }),
    op.status.row("tells of a closed port", { dom: SELF, port: saved(CLOSED) }, 0, {
      first: closed,
      after: { status: 0 },
    }),
    op.status.row("refuses the back ends' domain's", { dom: BACKEND, port: 1 }, EPERM),
    op.status.row("refuses another domain's", { dom: STRANGER, port: 1 }, ESRCH),
    ...badPorts((name, number) => op.status.row(name, { dom: SELF, port: number }, EINVAL)),
  ]),
  op.allocUnbound.table("gives a port that waits for the domain named", [
    op.allocUnbound.row("gives one for the back ends", { dom: SELF, remoteDom: BACKEND }, 0, {
      after: { port: atLeast(1) },
      save: port(FIRST),
      last: [close()],
    }),
    op.allocUnbound.row("gives one for the domain itself", { dom: SELF, remoteDom: SELF }, 0, {
      after: { port: atLeast(1) },
      save: port(FIRST),
      last: [close()],
    }),
    op.allocUnbound.row("refuses to give the back ends' domain's", { dom: BACKEND, remoteDom: SELF }, EPERM),
    op.allocUnbound.row("refuses to give another domain's", { dom: STRANGER, remoteDom: BACKEND }, ESRCH),
    op.allocUnbound.row("E6: refuses to let another domain bind", { dom: SELF, remoteDom: STRANGER }, EPERM),
  ]),
  op.bindIpi.table("gives a port that its own sends raise on a vCPU", [
    op.bindIpi.row("binds one", { vcpu: THIS_VCPU }, 0, {
      after: { port: atLeast(1) },
      save: port(FIRST),
      last: [close()],
    }),
    op.bindIpi.row("E5: refuses a vCPU that is not", { vcpu: NO_VCPU }, ENOENT),
    op.bindIpi.row("E5: refuses vCPU 2^32-1", { vcpu: 0xffff_ffff }, ENOENT),
  ]),
  op.bindVcpu.table("moves a port, and what waits on it, to a vCPU", [
    op.bindVcpu.row("moves an unbound port", { port: saved(FIRST), vcpu: 0 }, 0, {
      first: [unbound(BACKEND)],
      last: [close()],
    }),
    op.bindVcpu.row("moves a virtual interrupt of the domain", { port: saved(FIRST), vcpu: 1 }, 0, {
      first: [virq(GLOBAL_VIRQ)],
      last: [close()],
      vcpus: 2,
    }),
    op.bindVcpu.row("E7: refuses an IPI", { port: saved(FIRST), vcpu: 0 }, EINVAL, { first: [ipi()], last: [close()] }),
    op.bindVcpu.row("E7: refuses a virtual interrupt of a vCPU", { port: saved(FIRST), vcpu: 0 }, EINVAL, {
      first: [virq(PER_VCPU_VIRQ)],
      last: [close()],
    }),
    op.bindVcpu.row("refuses a closed port", { port: saved(CLOSED), vcpu: 0 }, EINVAL, { first: closed }),
    op.bindVcpu.row("E7: refuses a vCPU that is not", { port: saved(FIRST), vcpu: NO_VCPU }, ENOENT, {
      first: [unbound(BACKEND)],
      last: [close()],
    }),
    ...badPorts((name, number) => op.bindVcpu.row(name, { port: number, vcpu: 0 }, EINVAL)),
  ]),
  op.unmask.table("unmasks a port, and delivers what waits on it", [
    op.unmask.row("unmasks a port", { port: saved(FIRST) }, 0, { first: [ipi()], last: [close()] }),
    ...badPorts((name, number) => op.unmask.row(`E8, ${name}`, { port: number }, EINVAL)),
  ]),
  op.reset.table("closes all ports but the store's and the console's", [
    op.reset.row("E10: closes all", { dom: SELF }, 0, { notInGuest: "it needs its ports" }),
    op.reset.row("E10: refuses the back ends' domain", { dom: BACKEND }, EPERM),
    op.reset.row("E10: refuses another domain", { dom: STRANGER }, ESRCH),
  ]),
  op.initControl.table("turns to FIFO channels: a vCPU's control block", [
    op.initControl.row("takes a block", { controlGfn: frameOf("spare"), offset: 0, vcpu: THIS_VCPU }, 0, {
      after: { linkBits: 17 },
      notInGuest: IN_USE,
    }),
    op.initControl.row(
      "E9: refuses a block that is not aligned to 8",
      { controlGfn: frameOf("spare"), offset: 4, vcpu: THIS_VCPU },
      EINVAL,
    ),
    op.initControl.row(
      "E9: refuses a block that runs over its page",
      { controlGfn: frameOf("spare"), offset: 4096 - 64, vcpu: THIS_VCPU },
      EINVAL,
    ),
    op.initControl.row(
      "E9: refuses a vCPU that is not",
      { controlGfn: frameOf("spare"), offset: 0, vcpu: NO_VCPU },
      ENOENT,
    ),
    op.initControl.row(
      "E9: refuses a frame without memory",
      { controlGfn: 0xf_fff0, offset: 0, vcpu: THIS_VCPU },
      EINVAL,
    ),
  ]),
  op.expandArray.table("takes one more page of event words", [
    op.expandArray.row("takes a page", { arrayGfn: frameOf("other spare") }, 0, {
      first: [op.initControl.call({ controlGfn: frameOf("spare"), offset: 0, vcpu: 0 })],
      notInGuest: IN_USE,
    }),
    op.expandArray.row(
      "E9: refuses a page before there is a control block",
      { arrayGfn: frameOf("spare") },
      EOPNOTSUPP,
    ),
  ]),
  op.setPriority.table("sets a port's FIFO priority, 0 to 15", [
    op.setPriority.row("sets one", { port: saved(FIRST), priority: 3 }, 0, {
      first: [op.initControl.call({ controlGfn: frameOf("spare"), offset: 0, vcpu: 0 }), ipi()],
      notInGuest: IN_USE,
    }),
    ...badPorts((name, number) => op.setPriority.row(name, { port: number, priority: 7 }, EINVAL)),
  ]),
]);
