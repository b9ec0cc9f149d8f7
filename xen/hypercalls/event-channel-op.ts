/** event_channel_op. [EVTCHN] xen.git xen/include/public/event_channel.h */
import type { EvtchnPort } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/event-channel.js";
import * as fifo from "../abi/evtchn-fifo.js";
import { DOMID_SELF, HypercallNumber } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { isSelf, operation, strangerError } from "./call.js";
import type { Hypercall } from "./call.js";

const { Evtchnop, EvtchnStat } = abi;

/** DOMID_SELF as a remote domain means this one. */
function remote(xen: XenParts, domid: number): number {
  return domid === DOMID_SELF ? xen.config.domid : domid;
}

export const eventChannelOp: Hypercall = {
  number: HypercallNumber.event_channel_op,
  name: "event_channel_op",
  pointer: 1,
  operations: [
    operation(
      { number: Evtchnop.bind_interdomain, name: "EVTCHNOP_bind_interdomain" },
      "inout",
      abi.bindInterdomain,
      (xen, _call, bind) => {
        const port = xen.events.bindInterdomain(remote(xen, bind.remoteDom), bind.remotePort);
        if (port < 0) return port;
        bind.localPort = port;
        return 0;
      },
    ),
    operation({ number: Evtchnop.bind_virq, name: "EVTCHNOP_bind_virq" }, "inout", abi.bindVirq, (xen, _call, bind) => {
      const port = xen.events.bindVirq(bind.virq, bind.vcpu);
      if (port < 0) return port;
      bind.port = port;
      return 0;
    }),
    operation({ number: Evtchnop.bind_pirq, name: "EVTCHNOP_bind_pirq" }, "inout", abi.bindPirq, (xen, _call, bind) => {
      const { pirq } = bind;
      const port = xen.events.bindPirq(pirq, (bind.flags & abi.BIND_PIRQ_WILL_SHARE) !== 0);
      if (port < 0) return port;
      bind.port = port;
      xen.pirqs.bound(pirq);
      return 0;
    }),
    operation({ number: Evtchnop.close, name: "EVTCHNOP_close" }, "in", abi.portArgument, (xen, _call, argument) => {
      const { port } = argument;
      const pirq = xen.events.status(port) === EvtchnStat.pirq ? xen.events.targetOf(port as EvtchnPort) : -1;
      const result = xen.events.close(port);
      xen.pirqs.released(pirq);
      return result;
    }),
    operation({ number: Evtchnop.send, name: "EVTCHNOP_send" }, "in", abi.portArgument, (xen, _call, argument) =>
      xen.events.send(argument.port),
    ),
    operation(
      { number: Evtchnop.status, name: "EVTCHNOP_status" },
      "inout",
      abi.evtchnStatus,
      (xen, _call, argument) => {
        if (!isSelf(xen, argument.dom)) return strangerError(argument.dom);
        const { port } = argument;
        const status = xen.events.status(port);
        if (status < 0) return status;
        argument.status = status;
        argument.vcpu = xen.events.vcpuOf(port as EvtchnPort);
        argument.value = 0;
        argument.remotePort = 0;
        if (status === EvtchnStat.unbound || status === EvtchnStat.interdomain) {
          argument.value = xen.events.remoteDomainOf(port as EvtchnPort);
        }
        if (status === EvtchnStat.interdomain) argument.remotePort = xen.events.targetOf(port as EvtchnPort);
        if (status === EvtchnStat.pirq || status === EvtchnStat.virq) {
          argument.value = xen.events.targetOf(port as EvtchnPort);
        }
        return 0;
      },
    ),
    operation(
      { number: Evtchnop.alloc_unbound, name: "EVTCHNOP_alloc_unbound" },
      "inout",
      abi.allocUnbound,
      (xen, _call, argument) => {
        if (!isSelf(xen, argument.dom)) return strangerError(argument.dom);
        const port = xen.events.allocUnbound(remote(xen, argument.remoteDom));
        if (port < 0) return port;
        argument.port = port;
        return 0;
      },
    ),
    operation({ number: Evtchnop.bind_ipi, name: "EVTCHNOP_bind_ipi" }, "inout", abi.bindIpi, (xen, _call, bind) => {
      const port = xen.events.bindIpi(bind.vcpu);
      if (port < 0) return port;
      bind.port = port;
      return 0;
    }),
    operation({ number: Evtchnop.bind_vcpu, name: "EVTCHNOP_bind_vcpu" }, "in", abi.bindVcpu, (xen, _call, bind) =>
      xen.events.bindVcpu(bind.port, bind.vcpu),
    ),
    operation({ number: Evtchnop.unmask, name: "EVTCHNOP_unmask" }, "in", abi.portArgument, (xen, _call, argument) =>
      xen.events.unmask(argument.port),
    ),
    operation({ number: Evtchnop.reset, name: "EVTCHNOP_reset" }, "in", abi.evtchnReset, (xen, _call, argument) => {
      if (!isSelf(xen, argument.dom)) return strangerError(argument.dom);
      xen.events.closeAll();
      xen.pirqs.releasedAll();
      return 0;
    }),
    operation(
      { number: Evtchnop.init_control, name: "EVTCHNOP_init_control" },
      "inout",
      fifo.initControl,
      (xen, _call, argument) => {
        // Where FIFO channels are not offered, guests stay with the 2-level ones.
        if (!xen.config.fifo) return Errno.ENOSYS;
        argument.linkBits = fifo.FIFO_LINK_BITS;
        return xen.events.fifo.initControl(argument.vcpu, argument.controlGfn, argument.offset);
      },
    ),
    operation(
      { number: Evtchnop.expand_array, name: "EVTCHNOP_expand_array" },
      "in",
      fifo.expandArray,
      (xen, _call, argument) => (xen.config.fifo ? xen.events.fifo.expandArray(argument.arrayGfn) : Errno.ENOSYS),
    ),
    operation(
      { number: Evtchnop.set_priority, name: "EVTCHNOP_set_priority" },
      "in",
      fifo.setPriority,
      (xen, _call, argument) => {
        if (argument.port === 0 || argument.port >= xen.events.limit) return Errno.EINVAL;
        return xen.events.fifo.setPriority(argument.port, argument.priority);
      },
    ),
  ],
};
