import assert from "node:assert/strict";
import { Consoles } from "../../cli/console/consoles.js";
import { Terminal } from "../../cli/console/terminal.js";
import { runMachine } from "../../cli/launch.js";
import type { LaunchHost } from "../../cli/launch.js";
import type { MonitorHost } from "../../cli/monitor/command.js";
import { Arguments } from "../../cli/options/arguments.js";
import { planLaunch } from "../../cli/options/plan.js";
import { VmmError } from "../../shared/errors.js";
import { FakeMachine } from "./fake-machine.js";

/** Runs `machine` as the command line says, and tells what was printed besides. */
async function launch(machine: FakeMachine, line: string, onMonitor: (host: MonitorHost) => void = () => undefined) {
  const complaints: string[] = [];
  const host: LaunchHost = {
    version: "1.2.3",
    openConsoles(_plan, target, monitor) {
      onMonitor(monitor);
      const openTerminal = () => new Terminal({ input: process.stdin, output: process.stdout });
      return new Consoles({ plan: undefined, machine: target, monitor, xenLog: false, openTerminal });
    },
    complain: (text) => complaints.push(text),
  };
  const plan = planLaunch(new Arguments(`--kernel k --display none ${line}`.trim().split(" ")));
  return { code: await runMachine(plan, machine, host), complaints };
}

describe("runMachine()", () => {
  it("starts the machine and gives 0 when the guest powers off", async () => {
    const machine = new FakeMachine();
    machine.onStart = () => {
      machine.end({ kind: "poweroff" });
    };
    assert.deepEqual(await launch(machine, ""), { code: 0, complaints: [] });
    assert.deepEqual(machine.calls, ["start"]);
  });

  it("prints the report of a crash", async () => {
    const machine = new FakeMachine();
    machine.end({ kind: "crash", report: "triple fault\nrip 0x1000\n" });
    assert.deepEqual(await launch(machine, ""), {
      code: 4,
      complaints: ["the guest crashed\ntriple fault\nrip 0x1000"],
    });
  });

  it("prints one line for a failure of the host", async () => {
    const machine = new FakeMachine();
    machine.end({
      kind: "failed",
      error: new VmmError("HOST_SYSCALL", "Cannot write disk.img: No space left on device"),
    });
    assert.deepEqual(await launch(machine, ""), {
      code: 1,
      complaints: ["Cannot write disk.img: No space left on device"],
    });
  });

  it("passes on an error of the start", async () => {
    const machine = new FakeMachine();
    machine.start = () => Promise.reject(new VmmError("HOST_UNSUPPORTED", "no"));
    await assert.rejects(launch(machine, ""), { code: "HOST_UNSUPPORTED" });
  });

  it("stops the machine in order when a signal comes, and says which", async () => {
    const machine = new FakeMachine();
    machine.onStart = () => {
      process.emit("SIGTERM", "SIGTERM");
    };
    assert.deepEqual(await launch(machine, ""), { code: 128 + 15, complaints: [] });
    assert.deepEqual(machine.calls, ["start", "stop"]);
  });

  it("leaves no signal handler behind", async () => {
    const before = process.listenerCount("SIGTERM");
    const machine = new FakeMachine();
    machine.end({ kind: "poweroff" });
    await launch(machine, "");
    assert.equal(process.listenerCount("SIGTERM"), before);
  });

  it("says of a guest that powered off and is kept that it has done so", async () => {
    const machine = new FakeMachine();
    machine.state = "paused";
    machine.poweredOff = true;
    const states: string[] = [];
    machine.onStart = () => {
      machine.end({ kind: "poweroff" });
    };
    await launch(machine, "--no-shutdown", ({ machine: facade }) => states.push(facade.status()));
    assert.deepEqual(states, ["paused (shutdown)"]);
  });

  it("waits for the monitor's cont with -S", async () => {
    const machine = new FakeMachine();
    machine.onStart = () => {
      machine.end({ kind: "poweroff" });
    };
    const states: string[] = [];
    await launch(machine, "-S", ({ machine: facade }) => {
      states.push(facade.status());
      void facade
        .pause()
        .then(() => facade.reset())
        .then(() => facade.resume())
        .then(() => states.push(facade.status()));
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(states, ["paused (prelaunch)", "running"]);
    assert.deepEqual(machine.calls, ["start"]);
  });
});
