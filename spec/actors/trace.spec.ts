import assert from "node:assert/strict";
import { KvmRun } from "../../actors/host/exit.js";
import { PortBus } from "../../actors/port-bus.js";
import { storeTrace, trace, traceTo } from "../../actors/trace.js";
import { gpa, port } from "../../shared/brand.js";
import type { LogRecord } from "../../shared/log.js";
import { TRACE_NAMES } from "../../shared/trace.js";

const DATA = 4096;

/** Listens to `patterns` while `work` is done. */
function recorded(patterns: readonly string[], work: () => void): readonly LogRecord[] {
  const records: LogRecord[] = [];
  const stop = traceTo(patterns, {
    component: "vcpu0",
    nowNs: () => 1_500_000_000,
    write: (record) => records.push(record),
  });
  try {
    work();
  } finally {
    stop();
  }
  return records;
}

describe("traceTo()", () => {
  it("makes a log record of each event, with the machine's time", () => {
    const event = { vector: 0x30, target: 0, by: "8259" } as const;
    const records = recorded(["interrupt"], () => {
      trace.interrupt.publish(event);
    });
    assert.deepEqual(records, [
      {
        level: "trace",
        component: "vcpu0",
        message: "1.500000 interrupt: vector 0x30 to 0 by 8259",
        fields: { event: "interrupt", at: 1.5, ...event },
      },
    ]);
  });

  it("listens to what was asked for, once each, and no more when it is told to stop", () => {
    const heard: boolean[][] = [];
    const points = (): void => {
      heard.push(TRACE_NAMES.map((name) => trace[name].hasSubscribers));
    };
    const records = recorded(["xenstore", "xen*", "e*"], () => {
      points();
      trace.evtchn.publish({ port: 1, to: "guest", target: 0 });
      trace.xenstore.publish({ domid: 1, request: "READ", about: "", outcome: "OK" });
    });
    points();
    assert.deepEqual(heard, [
      TRACE_NAMES.map((name) => name === "xenstore" || name === "evtchn"),
      TRACE_NAMES.map(() => false),
    ]);
    assert.deepEqual(
      records.map(({ fields }) => fields["event"]),
      ["evtchn", "xenstore"],
    );
  });

  it("listens to nothing when nothing was asked for", () => {
    recorded([], () => {
      assert(TRACE_NAMES.every((name) => !trace[name].hasSubscribers));
    });
  });
});

describe("storeTrace()", () => {
  it("is there when somebody listens", () => {
    assert.equal(storeTrace(), undefined);
    const records = recorded(["xenstore"], () => {
      storeTrace()?.(1 as never, "WRITE", "data/a", "OK");
    });
    assert.equal(records[0]?.message, '1.500000 xenstore: domain 1 WRITE "data/a" = OK');
  });
});

describe("the port bus's trace points", () => {
  function bus(): { readonly bus: PortBus; readonly run: KvmRun } {
    const made = new PortBus();
    const handler = { read: () => 0x1_23, write: () => undefined };
    made.attach("device", [{ base: port(0x60), length: 1, handler }]);
    made.attachMmio([{ base: gpa(0x1000), length: 8, handler }]);
    return { bus: made, run: new KvmRun(new SharedArrayBuffer(3 * 4096), 0, 3 * 4096) };
  }

  it("tell each access of a repeated instruction, with the value that went", () => {
    const { bus: ports, run } = bus();
    run.bytes.set([7, 8], DATA);
    const records = recorded(["port"], () => {
      ports.io({ kind: "io", write: true, port: port(0x60), size: 1, count: 2, dataOffset: DATA }, run);
      ports.io({ kind: "io", write: false, port: port(0x60), size: 1, count: 1, dataOffset: DATA }, run);
      ports.io({ kind: "io", write: false, port: port(0x70), size: 2, count: 1, dataOffset: DATA }, run);
    });
    assert.deepEqual(
      records.map(({ fields: { write, value, claimed } }) => [write, value, claimed]),
      [
        [true, 7, true],
        [true, 8, true],
        [false, 0x23, true],
        [false, 0xffff, false],
      ],
    );
  });

  it("tell the pieces of an MMIO access", () => {
    const { bus: registers, run } = bus();
    const records = recorded(["mmio"], () => {
      registers.mmio({ kind: "mmio", write: true, address: gpa(0x1000), size: 8, dataOffset: DATA }, run);
      registers.mmio({ kind: "mmio", write: false, address: gpa(0x2000), size: 1, dataOffset: DATA }, run);
    });
    assert.deepEqual(
      records.map(({ fields: { address, size, claimed } }) => [address, size, claimed]),
      [
        [0x1000, 4, true],
        [0x1004, 4, true],
        [0x2000, 1, false],
      ],
    );
  });
});
