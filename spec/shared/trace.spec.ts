import assert from "node:assert/strict";
import { formatTrace, hex64, matchTraceNames, TRACE_NAMES, UNTRACED } from "../../shared/trace.js";

describe("matchTraceNames()", () => {
  for (const [pattern, names] of [
    ["port", ["port"]],
    ["xen*", ["xenstore"]],
    ["*t*", ["port", "evtchn", "xenstore", "interrupt"]],
    ["*", TRACE_NAMES],
    ["ports", []],
    ["", []],
    ["p.rt", []],
    ["(", []],
  ] as const) {
    it(`takes "${pattern}" for ${names.length === 0 ? "nothing" : names.join(", ")}`, () => {
      assert.deepEqual(matchTraceNames(pattern), names);
    });
  }
});

describe("formatTrace()", () => {
  it("makes one line of each event", () => {
    assert.deepEqual(
      [
        formatTrace("port", { port: 0x3f8, write: true, size: 1, value: 0x41, claimed: true }),
        formatTrace("port", { port: 0x510, write: false, size: 2, value: 0xffff, claimed: false }),
        formatTrace("mmio", { address: 0xfec0_0000, write: true, size: 4, value: 1, claimed: true }),
        formatTrace("msr", { vcpu: 0, write: true, index: 0x4000_0000, value: "0x10d000", accepted: true }),
        formatTrace("msr", { vcpu: 0, write: false, index: 0x10, value: "0x0", accepted: false }),
        formatTrace("hypercall", { vcpu: 1, number: 29, name: "sched_op/poll", args: "0x3 0x1000 0x0", result: -22 }),
        formatTrace("evtchn", { port: 4, to: "guest", target: 1 }),
        formatTrace("evtchn", { port: 1, to: "backend", target: 0 }),
        formatTrace("xenstore", { domid: 1, request: "READ", about: "name", outcome: "ENOENT" }),
        formatTrace("interrupt", { vector: 0x30, target: 0, by: "8259" }),
        formatTrace("disk", { operation: "write", offset: 8192, length: 4096, error: 5 }),
      ],
      [
        "port: write 0x41 size 1 at 0x3f8",
        "port: read 0xffff size 2 at 0x510, where nothing is",
        "mmio: write 0x1 size 4 at 0xfec00000",
        "msr: write 0x40000000 value 0x10d000",
        "msr: read 0x10 value 0x0 refused",
        "hypercall: sched_op/poll 0x3 0x1000 0x0 = -22",
        "evtchn: 4 to vCPU 1",
        "evtchn: 1 to back end 0",
        'xenstore: domain 1 READ "name" = ENOENT',
        "interrupt: vector 0x30 to 0 by 8259",
        "disk: write 4096 bytes at 0x2000 = 5",
      ],
    );
  });
});

describe("hex64()", () => {
  it("writes both halves without losing a digit", () => {
    assert.deepEqual(
      [hex64(0, 0), hex64(0, 0x1f), hex64(0xffff_8880, 0x0012_f000), hex64(1, 0)],
      ["0x0", "0x1f", "0xffff88800012f000", "0x100000000"],
    );
  });
});

describe("UNTRACED", () => {
  it("has no listener, and takes what it is given all the same", () => {
    assert.equal(UNTRACED.hasSubscribers, false);
    UNTRACED.publish({});
  });
});
