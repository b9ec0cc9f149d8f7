import assert from "node:assert/strict";
import { execute } from "../../../cli/monitor/commands.js";
import { FakeMachine } from "../fake-machine.js";

describe("execute()", () => {
  const cases: readonly [line: string, answer: string | RegExp, calls: readonly string[]][] = [
    ["", "", []],
    ["   ", "", []],
    ["info status", "VM status: running", []],
    ["info version", "1.2.3", []],
    ["info block", "", ["cdDrives"]],
    ["change cd0 new.iso", "", ["change cd0 new.iso"]],
    ['change -f cd0 "my \\"new\\".iso" raw read-only', "", ['change cd0 my "new".iso by force']],
    ["change cd0", "usage: change [-f] device filename [format [read-only-mode]]", []],
    ["change cd0 a.qcow2 qcow2", "Error: only raw images are read directly, not 'qcow2'", []],
    ["change cd0 a.iso raw read-write", "Error: a disc is read-only: 'read-write' is not there", []],
    ["eject cd0", "", ["change cd0 nothing"]],
    ["eject -f cd0", "", ["change cd0 nothing by force"]],
    ["eject", "usage: eject [-f] device", []],
    ["eject cd0 now", /^usage: eject /, []],
    ["info network", "", ["networks"]],
    ["info pci", "", ["pciFunctions"]],
    [
      "info",
      /^info block -- .*\ninfo network -- .*\ninfo pci -- .*\ninfo registers -- .*\ninfo status -- .*\ninfo version -- /,
      [],
    ],
    ["info registers", "vCPU 0:", ["pause", "describeVcpus", "resume"]],
    [
      "xen-event-list",
      [
        "port    1: vcpu: 0 interdomain(xenolith:1) MASKED",
        "port   17: vcpu: 1 ipi PENDING",
        "port 1000: vcpu: 0 virq(3)",
        "port    4: vcpu: 0 unbound(loopback:0) PENDING MASKED",
      ].join("\n"),
      ["eventPorts"],
    ],
    ["xen-event-inject 17", "Delivered port 17", ["inject 17"]],
    ["xen-event-inject 0x11", "Delivered port 17", ["inject 17"]],
    ["xen-event-inject 3", "Error: port 3 is not in use", ["inject 3"]],
    ["xen-event-inject", "xen-event-inject: the number of a port is expected", []],
    ["xen-event-inject -1", "xen-event-inject: the number of a port is expected", []],
    ["stop", "", ["pause"]],
    ["s", "", ["pause"]],
    [" cont ", "", ["resume"]],
    ["c", "", ["resume"]],
    ["system_reset", "", ["reset"]],
    ["system_powerdown", "", ["powerButton"]],
    ["dump-guest-memory  vm.core ", "", ["dumpMemory vm.core"]],
    ["dump-guest-memory", "dump-guest-memory: string expected", []],
    ["dump-guest-memory -z vm.core", "dump-guest-memory: unsupported option '-z vm.core'", []],
    ["quit", "", ["stop"]],
    ["q", "", ["stop"]],
    ["help", /^balloon .*\nchange .*\ncont\|c -- .*\n(.*\n)*system_reset -- /, []],
    ["help stop", "stop|s -- stop emulation", []],
    ["foo", "unknown command: 'foo'", []],
    ["sytem_reset", "unknown command: 'sytem_reset': did you mean 'system_reset'?", []],
    ["info sttus", "unknown command: 'info sttus': did you mean 'status'?", []],
    ["suspend", "", ["suspend"]],
    ["balloon 256", "", [`setMemoryTarget ${256 * 1024 * 1024}`]],
    ["balloon much", "balloon: a whole number of MiB is expected", []],
    ["stop now", "stop: extraneous arguments: 'now'", []],
    ["__proto__", "unknown command: '__proto__'", []],
  ];
  for (const [line, answer, calls] of cases) {
    it(`answers ${JSON.stringify(line)}`, async () => {
      const machine = new FakeMachine();
      const actual = await execute({ machine, version: "1.2.3", quit: () => void machine.stop() }, line);
      if (typeof answer === "string") assert.equal(actual, answer);
      else assert.match(actual, answer);
      assert.deepEqual(machine.calls, calls);
    });
  }

  it("tells of a command that failed", async () => {
    const machine = new FakeMachine();
    machine.pause = () => Promise.reject(new Error("Cannot pause: the machine has ended"));
    const answer = await execute({ machine, version: "", quit: () => undefined }, "stop");
    assert.equal(answer, "Error: Cannot pause: the machine has ended");
  });
});
