import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Consoles } from "../../../cli/console/consoles.js";
import { Terminal } from "../../../cli/console/terminal.js";
import type { TerminalPlan } from "../../../cli/options/chardevs.js";
import { FakeMachine } from "../fake-machine.js";

/** Consoles on a terminal that a spec types on and reads from. */
function newConsoles(plan: TerminalPlan | undefined, xenLog = false) {
  const machine = new FakeMachine();
  const input = Object.assign(new EventEmitter(), { pause: () => undefined, resume: () => undefined });
  let shown = "";
  const output = Object.assign(new EventEmitter(), {
    write(bytes: Uint8Array) {
      shown += new TextDecoder().decode(bytes);
      return true;
    },
  });
  const monitor = { machine, version: "1.2.3", quit: () => void machine.stop() };
  const openTerminal = () => new Terminal({ input, output });
  const consoles = new Consoles({ plan, machine, monitor, xenLog, openTerminal });
  return {
    consoles,
    machine,
    type: (text: string) => input.emit("data", new TextEncoder().encode(text)),
    shown: () => shown,
  };
}

describe("Consoles", () => {
  it("shows what the guest writes and passes on what is typed", () => {
    const { consoles, machine, type, shown } = newConsoles({ frontEnds: ["serial0"], mux: false, signal: false });
    consoles.open();
    machine.write("serial0", "login: ");
    type("root\x01x");
    assert.equal(shown(), "login: ");
    assert.deepEqual(machine.calls, ["serial0 root\x01x"]);
  });

  it("shows the guest's first bytes before the keys are taken", () => {
    const { machine, shown } = newConsoles({ frontEnds: ["serial0", "monitor"], mux: true, signal: false });
    machine.write("serial0", "early");
    assert.equal(shown(), "early");
  });

  it("reaches the monitor by Ctrl-A c, and the guest again", async () => {
    const { consoles, machine, type, shown } = newConsoles({
      frontEnds: ["serial0", "monitor"],
      mux: true,
      signal: false,
    });
    consoles.open();
    type("a\x01cinfo status\r");
    await delay(50);
    type("\x01cb");
    assert.match(shown(), /xenolith 1\.2\.3 monitor.*\n\(xenolith\) info status\nVM status: running\n\(xenolith\) /);
    assert.deepEqual(machine.calls, ["serial0 a", "serial0 b"]);
  });

  it("sends a break by Ctrl-A b, to a serial port but not to the monitor", () => {
    const { consoles, machine, type } = newConsoles({ frontEnds: ["serial0", "monitor"], mux: true, signal: false });
    consoles.open();
    type("\x01b\x01c\x01b");
    assert.deepEqual(machine.calls, ["break serial0"]);
  });

  it("ends the machine by Ctrl-A x", async () => {
    const { consoles, machine, type } = newConsoles({ frontEnds: ["serial0", "monitor"], mux: true, signal: false });
    consoles.open();
    type("\x01x");
    assert.deepEqual(await machine.ended, { kind: "stopped" });
  });

  it("greets at once when the monitor has the keys first", async () => {
    const { consoles, shown } = newConsoles({ frontEnds: ["monitor"], mux: false, signal: true });
    consoles.open();
    await delay(50);
    assert.match(shown(), /\(xenolith\) $/);
  });

  it("shows Xen's console where it is asked for, and touches no terminal where it is not", () => {
    const loud = newConsoles(undefined, true);
    const quiet = newConsoles(undefined);
    for (const { consoles, machine } of [loud, quiet]) {
      consoles.open();
      machine.write("xen-log", "hel\x1b[1mlo\n");
    }
    assert.deepEqual([loud.shown(), quiet.shown()], ["hel\\x1b[1mlo\n", ""]);
  });
});
