/** sched_op: yielding, waiting, ending. [SCHED] xen.git xen/include/public/sched.h */
import type { EvtchnPort } from "../../shared/brand.js";
import { Errno } from "../abi/errno.js";
import * as abi from "../abi/sched.js";
import { HypercallNumber } from "../abi/xen.js";
import { RunstateKind } from "../abi/vcpu.js";
import type { XenParts } from "../parts.js";
import { latchShutdown, shutDown } from "../shutdown.js";
import { bareOperation, numberError, operation } from "./call.js";
import type { Hypercall, HypercallCall } from "./call.js";

const { Schedop } = abi;

/** Ports that one SCHEDOP_poll may name. */
const MAX_POLL_PORTS = 128;

/**
 * How long SCHEDOP_block sleeps at most. It should end with any interrupt, but those that KVM's LAPIC holds do not end our
 * sleep; guests expect to return early, and block again.
 */
const BLOCK_NS = 10e6;

/** Sleeps until `woken`, `deadlineNs`, or something else to do. The caller has told senders by startPoll. */
function sleep(xen: XenParts, call: HypercallCall, deadlineNs: number, woken: () => boolean): void {
  xen.runstate.change(call.vcpu, RunstateKind.blocked);
  while (!woken() && deadlineNs > xen.host.systemTimeNs() && xen.host.pollWait(call.vcpu, deadlineNs));
  xen.runstate.change(call.vcpu, RunstateKind.running);
}

/** Whether one of the first `count` ports in the call's buffer is pending: 1, 0, or -EINVAL for a port out of range. */
function anyPending(xen: XenParts, call: HypercallCall, count: number): number {
  for (let i = 0; i < count; i++) {
    const port = call.bufferView.getUint32(i * 4, true);
    if (port >= xen.events.limit) return Errno.EINVAL;
    if (xen.delivery.pending(port as EvtchnPort)) return 1;
  }
  return 0;
}

export const schedOp: Hypercall = {
  number: HypercallNumber.sched_op,
  name: "sched_op",
  pointer: 1,
  operations: [
    bareOperation(Schedop.yield, "SCHEDOP_yield", (xen) => {
      xen.host.yieldThread();
      return 0;
    }),
    bareOperation(Schedop.block, "SCHEDOP_block", (xen, call) => {
      xen.delivery.startPoll(call.vcpu, 0);
      sleep(xen, call, xen.host.systemTimeNs() + BLOCK_NS, () => xen.delivery.upcallPending(call.vcpu));
      xen.delivery.endPoll(call.vcpu);
      return 0;
    }),
    operation(
      { number: Schedop.shutdown, name: "SCHEDOP_shutdown" },
      "in",
      abi.schedShutdown,
      (xen, call, argument) => {
        shutDown(xen, call.vcpu, argument.reason);
        return 0;
      },
    ),
    operation({ number: Schedop.poll, name: "SCHEDOP_poll" }, "in", abi.schedPoll, (xen, call, argument) => {
      const { nrPorts, timeout } = argument;
      if (nrPorts > MAX_POLL_PORTS) return Errno.EINVAL;
      if (!call.vm.read(argument.portsHigh, argument.portsLow, call.buffer, nrPorts * 4)) return Errno.EFAULT;
      // Senders are told before the ports are looked at: an event between the two would be slept through.
      xen.delivery.startPoll(call.vcpu, nrPorts === 1 ? call.bufferView.getUint32(0, true) : 0);
      const pending = anyPending(xen, call, nrPorts);
      const deadline = timeout === 0 ? Infinity : timeout;
      if (pending === 0) {
        sleep(xen, call, deadline, () => {
          return xen.delivery.upcallPending(call.vcpu) || anyPending(xen, call, nrPorts) !== 0;
        });
      }
      xen.delivery.endPoll(call.vcpu);
      return Math.min(pending, 0);
    }),
    operation(
      { number: Schedop.remote_shutdown, name: "SCHEDOP_remote_shutdown" },
      "in",
      abi.schedRemoteShutdown,
      // DOMID_SELF is no domain's number here.
      (xen, _call, argument) => numberError(xen, argument.domainId),
    ),
    operation(
      { number: Schedop.shutdown_code, name: "SCHEDOP_shutdown_code" },
      "in",
      abi.schedShutdown,
      (xen, _call, argument) => {
        latchShutdown(xen.domain, argument.reason);
        return 0;
      },
    ),
    operation({ number: Schedop.watchdog, name: "SCHEDOP_watchdog" }, "in", abi.schedWatchdog, (xen, _call, argument) =>
      xen.timers.setWatchdog(argument.id, argument.timeout),
    ),
    bareOperation(Schedop.pin_override, "SCHEDOP_pin_override", () => Errno.EPERM),
  ],
};
