import assert from "node:assert/strict";
import { MonitorSession } from "../../../cli/monitor/session.js";
import { FakeMachine } from "../fake-machine.js";

function newSession() {
  const machine = new FakeMachine();
  let written = "";
  const session = new MonitorSession(
    { machine, version: "1.2.3", quit: () => undefined },
    { write: (text) => void (written += text) },
  );
  return {
    machine,
    session,
    written: () => written,
    type: (text: string) => {
      session.input(new TextEncoder().encode(text));
    },
  };
}

describe("MonitorSession", () => {
  it("greets once, and shows what was typed when the keys come back", () => {
    const { session, type, written } = newSession();
    session.prompt();
    type("sto");
    session.prompt();
    assert.equal(written(), "xenolith 1.2.3 monitor - type 'help' for more information\n(xenolith) sto(xenolith) sto");
  });

  it("answers lines in order and prompts after each", async () => {
    const { machine, session, type, written } = newSession();
    type("stop\ninfo status\ncont\n");
    await session.settled();
    assert.deepEqual(machine.calls, ["pause", "resume"]);
    assert.equal(written(), "stop\ninfo status\ncont\n(xenolith) VM status: paused\n(xenolith) (xenolith) ");
  });

  it("drops lines of somebody who does not wait for answers", async () => {
    const { machine, session, type } = newSession();
    type("stop\n".repeat(1000));
    await session.settled();
    assert.equal(machine.calls.length, 256);
  });
});
