/** sched_op. [SCHED] xen.git xen/include/public/sched.h */
import * as abi from "../../../../xen/abi/sched.js";
import { BACKEND, EFAULT, EINVAL, ENOSPC, EPERM, ESRCH, NO_NUMBER, OWN_NUMBER, SELF, STRANGER } from "./errno.js";
import { Family } from "./family.js";
import type { Call } from "./row.js";
import { at, between, now, saved } from "./value.js";

const family = new Family({ name: "sched_op", number: 29, source: "sched-op.ts", pointer: 1 });

const op = {
  yield: family.bare(0, "SCHEDOP_yield"),
  block: family.bare(1, "SCHEDOP_block"),
  shutdown: family.operation({ number: 2, name: "SCHEDOP_shutdown" }, "in", abi.schedShutdown),
  poll: family.operation({ number: 3, name: "SCHEDOP_poll" }, "in", abi.schedPoll, { byKvm: true }),
  remoteShutdown: family.operation({ number: 4, name: "SCHEDOP_remote_shutdown" }, "in", abi.schedRemoteShutdown),
  shutdownCode: family.operation({ number: 5, name: "SCHEDOP_shutdown_code" }, "in", abi.schedShutdown),
  watchdog: family.operation({ number: 6, name: "SCHEDOP_watchdog" }, "in", abi.schedWatchdog),
  pinOverride: family.bare(7, "SCHEDOP_pin_override"),
};

const REASONS = ["poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset"];
const NO_REASONS = [6, 7, 255, 0xffff_ffff];
const MAX_PORTS = 128;
/** No port of 2-level channels. */
const NO_PORT = 1 << 17;
/** Far longer than a self-test takes, in s. */
const WATCHDOG_S = 3600;
const ENDS = "the machine would end";
const ITS_END = "it would be told of its own end";

/** A time that is past when the call is made, in ns. */
const PAST = 1;
const poll = (
  nrPorts: number,
  timeout: ReturnType<typeof now> | number = PAST,
): Record<string, ReturnType<typeof now> | number> => ({
  ports: at("data"),
  nrPorts,
  timeout,
});
const ports = (...values: readonly number[]): Pick<NonNullable<Parameters<typeof op.poll.row>[3]>, "memory"> => ({
  memory: [{ at: at("data"), width: 4, values }],
});

const ID = 0;
const OTHER_ID = 1;
const start = (slot: number): Call =>
  op.watchdog.call({ id: 0, timeout: WATCHDOG_S }, between(1, 2), { saveResult: slot });
const stop = (slot: number): Call => op.watchdog.call({ id: saved(slot), timeout: 0 });

export const schedOpTable = family.table([
  op.yield.table("gives way to another thread of the host", [op.yield.row("gives way", {}, 0)]),
  op.block.table("sleeps until an event is told of, 10 ms at most", [op.block.row("sleeps", {}, 0)]),
  op.shutdown.table("ends, resets, suspends or soft-resets the machine; powers off for a reason that is none", [
    op.shutdown.row("ends it: poweroff", { reason: 0 }, 0, { notInGuest: ENDS }),
    ...REASONS.slice(1).map((name, i) =>
      op.shutdown.row(`H19: ends it: ${name}`, { reason: i + 1 }, 0, { notInGuest: ENDS }),
    ),
    ...NO_REASONS.map((reason) =>
      op.shutdown.row(`H19: ends it for reason ${reason}`, { reason }, 0, { notInGuest: ENDS }),
    ),
  ]),
  op.poll.table("sleeps until one of up to 128 ports is pending, or a time", [
    op.poll.row("returns at a time that is past", poll(1), 0, ports(1)),
    op.poll.row("returns at a time to come", poll(0, now(1e6)), 0, {
      notInGuest: "KVM, which may answer itself, takes the time for a duration",
    }),
    op.poll.row("takes 128 ports", poll(MAX_PORTS), 0, ports(...new Array<number>(MAX_PORTS).fill(1))),
    op.poll.row("H18: refuses 129 ports", poll(MAX_PORTS + 1), EINVAL),
    op.poll.row("H18: refuses 2^32-1 ports", poll(0xffff_ffff), EINVAL),
    op.poll.row("H18: refuses a port that is not", poll(1), EINVAL, ports(NO_PORT)),
    op.poll.row("H18: refuses a port that is not among others", poll(2), EINVAL, ports(1, NO_PORT)),
    op.poll.row("H18: refuses ports from nowhere", { ports: at("hole"), nrPorts: 1, timeout: PAST }, EFAULT),
    op.poll.row(
      "H18: refuses ports of which the last is missing",
      { ports: at("cliff", -4), nrPorts: 2, timeout: PAST },
      EFAULT,
    ),
  ]),
  op.remoteShutdown.table("refused: the guest is no control domain", [
    op.remoteShutdown.row("takes its struct, and refuses", { domainId: OWN_NUMBER, reason: 0 }, EPERM, {
      notInGuest: NO_NUMBER,
    }),
    op.remoteShutdown.row("does not take DOMID_SELF", { domainId: SELF, reason: 0 }, ESRCH),
    op.remoteShutdown.row("refuses for the back ends' domain", { domainId: BACKEND, reason: 0 }, EPERM),
    op.remoteShutdown.row("knows no other domain", { domainId: STRANGER, reason: 0 }, ESRCH),
  ]),
  op.shutdownCode.table("latches the reason of the next shutdown, whatever that names; the first counts", [
    op.shutdownCode.row("takes reason 3, crash", { reason: 3 }, 0, { notInGuest: ITS_END }),
    op.shutdownCode.row("takes a second, which does not count", { reason: 0 }, 0, {
      first: [op.shutdownCode.call({ reason: 3 })],
      notInGuest: ITS_END,
    }),
    ...NO_REASONS.map((reason) =>
      op.shutdownCode.row(`H19: takes reason ${reason}`, { reason }, 0, { notInGuest: ITS_END }),
    ),
  ]),
  op.watchdog.table("starts, sets anew or stops one of two watchdogs, which end the machine", [
    op.watchdog.row("starts one", { id: 0, timeout: WATCHDOG_S }, between(1, 2), { saveResult: ID, last: [stop(ID)] }),
    op.watchdog.row("sets one anew", { id: saved(ID), timeout: WATCHDOG_S }, 0, {
      first: [start(ID)],
      last: [stop(ID)],
    }),
    op.watchdog.row("refuses a third", { id: 0, timeout: WATCHDOG_S }, ENOSPC, {
      first: [start(ID), start(OTHER_ID)],
      last: [stop(ID), stop(OTHER_ID)],
    }),
    op.watchdog.row("refuses to stop one that does not run", { id: saved(ID), timeout: 0 }, EINVAL, {
      first: [start(ID), stop(ID)],
    }),
    op.watchdog.row("refuses to start one of 0 s", { id: 0, timeout: 0 }, EINVAL),
    op.watchdog.row("refuses number 3", { id: 3, timeout: WATCHDOG_S }, EINVAL),
    op.watchdog.row("refuses number 2^32-1", { id: 0xffff_ffff, timeout: WATCHDOG_S }, EINVAL),
  ]),
  op.pinOverride.table("refused", [op.pinOverride.row("refuses", {}, EPERM, { args: { 1: at("argument") } })]),
]);
