/** What the trace point sees of hypercalls. */
import assert from "node:assert/strict";
import type { HypercallEvent } from "../../../shared/trace.js";
import { HypercallCall } from "../../../xen/hypercalls/call.js";
import { HypercallTable } from "../../../xen/hypercalls/table.js";
import { Guest } from "../guest.js";

// xen/include/public/xen.h, sched.h, errno.h.
const MULTICALL = 13;
const XEN_VERSION = 17;
const SCHED_OP = 29;
const SCHEDOP_YIELD = 0;
const ENOSYS = -38;

/** Calls `number` and gives the events, without what is the same in all. */
function traced(guest: Guest, number: number, ...args: readonly number[]): readonly (string | number)[][] {
  const events: HypercallEvent[] = [];
  const table = new HypercallTable(guest.xen, { hasSubscribers: true, publish: (event) => events.push(event) });
  guest.frame.number = number;
  for (let i = 0; i < 6; i++) guest.frame.args[i] = args[i] ?? 0;
  const call = new HypercallCall();
  call.start(guest.frame, guest.vm);
  table.dispatch(call);
  return events.map((event) => [event.number, event.name, event.args, event.result]);
}

describe("the hypercall trace", () => {
  it("names the sub-operation, and shows arguments and result", () => {
    assert.deepEqual(traced(new Guest(), SCHED_OP, SCHEDOP_YIELD, 0x2000, 7), [
      [SCHED_OP, "sched_op/SCHEDOP_yield", "0x0 0x2000 0x7", 0],
    ]);
  });

  it("shows what there is not by its number", () => {
    assert.deepEqual(traced(new Guest(), 55, 1), [[55, "hypercall 55", "0x1 0x0 0x0", ENOSYS]]);
    assert.deepEqual(traced(new Guest(), SCHED_OP, 40), [[SCHED_OP, "sched_op/40", "0x28 0x0 0x0", ENOSYS]]);
  });

  it("shows the entries of a multicall, and then the multicall as it was called", () => {
    const guest = new Guest();
    guest.words(0x3000, XEN_VERSION, 0, 0, 0, 7);
    guest.words(0x3040, 55);
    assert.deepEqual(
      traced(guest, MULTICALL, 0x3000, 2).map(([, name, args, result]) => [name, args, result]),
      [
        ["xen_version/XENVER_pagesize", "0x7 0x0 0x0", 4096],
        ["hypercall 55", "0x0 0x0 0x0", ENOSYS],
        ["multicall", "0x3000 0x2 0x0", 0],
      ],
    );
  });
});
