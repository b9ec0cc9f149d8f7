/** Tracing a whole machine: its threads' events in its log. */
import assert from "node:assert/strict";
import { machines, smallGuest } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";

describe("a machine's trace", function () {
  this.timeout(20_000);
  const { create } = machines();

  before(function () {
    requireKvm(this, "hello.elf");
  });

  it("has the events that were asked for, of each vCPU", async () => {
    const boot = { ...smallGuest("hello.elf").boot, cmdline: "serial" };
    const { machine, log, text } = await create(smallGuest("hello.elf", { boot, trace: ["hyper*", "port", "msr"] }));
    await machine.start();
    await machine.ended;
    const traced = log.filter(({ level }) => level === "trace");
    const events = new Set(traced.map(({ fields }) => fields["event"]));
    assert.deepEqual([...events].sort(), ["hypercall", "msr", "port"]);
    const written = traced.filter(({ fields }) => fields["port"] === 0x3f8 && fields["write"] === true);
    assert.equal(String.fromCharCode(...written.map(({ fields }) => Number(fields["value"]))), text("serial0"));
    // The last thing that the guest does: SHUTDOWN_poweroff is 0.
    const last = traced.filter(({ fields }) => fields["event"] === "hypercall").at(-1);
    assert.equal(last?.component, "vcpu0");
    assert.match(last.message, /^\d+\.\d{6} hypercall: sched_op\/\w*shutdown /);
  });

  it("is empty when nothing was asked for", async () => {
    const { machine, log } = await create(smallGuest("hello.elf"));
    await machine.start();
    await machine.ended;
    assert.deepEqual(
      log.filter(({ level }) => level === "trace"),
      [],
    );
  });
});
