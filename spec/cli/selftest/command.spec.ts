import assert from "node:assert/strict";
import { runSelftest } from "../../../cli/selftest/command.js";
import type { MachineEnd } from "../../../cli/library.js";
import { VmmError } from "../../../shared/errors.js";
import { FakeMachine } from "../fake-machine.js";

/** Runs a guest that writes `text` and ends so. */
async function selftest(text: string, end: MachineEnd) {
  const machine = new FakeMachine();
  const lines: string[] = [];
  machine.onStart = () => {
    machine.write("xen-console", text);
    machine.end(end);
  };
  const code = await runSelftest({ timeoutSeconds: 60 }, machine, (line) => lines.push(line));
  return { code, lines };
}

const OFF: MachineEnd = { kind: "poweroff" };

describe("runSelftest()", () => {
  it("prints a line for each check and gives 0 when all passed", async () => {
    assert.deepEqual(await selftest("1..2\n# hello\nok 1 - a\nok 2 - b # SKIP why\n", OFF), {
      code: 0,
      lines: ["# hello", "ok 1 - a", "skipped 2 - b # why", "1 passed, 0 failed, 1 skipped"],
    });
  });

  it("gives 1 when a check failed", async () => {
    assert.deepEqual(await selftest("1..2\nok 1 - a\nnot ok 2 - b # -22\n", OFF), {
      code: 1,
      lines: ["ok 1 - a", "not ok 2 - b # -22", "1 passed, 1 failed"],
    });
  });

  it("gives 1 when checks are missing", async () => {
    const { code, lines } = await selftest("1..2\nok 1 - a\n", OFF);
    assert.deepEqual([code, lines.at(-1)], [1, "check 2 of 2 never came"]);
  });

  it("gives 4 and the report when the guest crashed", async () => {
    const { code, lines } = await selftest("1..1\nok 1 - a\n", { kind: "crash", report: "rip 0\n" });
    assert.deepEqual([code, lines.at(-1)], [4, "the guest crashed\nrip 0"]);
  });

  it("gives 1 and the reason when the host failed", async () => {
    const { code, lines } = await selftest("", { kind: "failed", error: new VmmError("HOST_SYSCALL", "EIO") });
    assert.deepEqual([code, lines.at(-1)], [1, "EIO"]);
  });

  it("makes control characters of the guest visible", async () => {
    const { lines } = await selftest("ok 1 - \x1b[2J\n", OFF);
    assert.equal(lines[0], "ok 1 - \\x1b[2J");
  });

  it("stops a guest that does not end", async () => {
    const machine = new FakeMachine();
    const lines: string[] = [];
    const code = await runSelftest({ timeoutSeconds: 0.02 }, machine, (line) => lines.push(line));
    assert.deepEqual(
      [code, lines.at(-1), machine.calls],
      [1, "the guest did not end within 0.02 s", ["start", "stop"]],
    );
  });
});
