import assert from "node:assert/strict";
import { runStressCommand } from "../../../cli/stress/command.js";
import type { StressOptions, StressReport } from "../../../index.js";
import { PASSED } from "./report.js";

async function command(argv: readonly string[], report: Partial<StressReport> = {}) {
  let text = "";
  const shown: string[] = [];
  let asked: StressOptions | undefined;
  const code = await runStressCommand(argv, {
    names: { workloads: ["storm"], hostActions: ["pause"], plants: [], channels: ["fifo"], maxVcpus: 8 },
    stress(options) {
      asked = options;
      options.onProgress?.({ seconds: 1, workloads: [], hostActions: [] });
      return Promise.resolve({ ...PASSED, ...report });
    },
    write: (piece) => (text += piece),
    progress: (line) => shown.push(line),
  });
  return { code, text, shown, asked };
}

describe("runStressCommand()", () => {
  it("passes on what the command line says, shows progress, prints the report and gives 0", async () => {
    const { code, text, shown, asked } = await command(["--smp", "3"]);
    assert.equal(code, 0);
    assert.equal(asked?.vcpus, 3);
    assert.match(text, /^2 vCPUs/);
    assert.deepEqual(shown, ["1.0 s: 0 events, 0 operations", ""]);
  });

  it("prints the report as JSON", async () => {
    assert.deepEqual(JSON.parse((await command(["--json"])).text), PASSED);
  });

  it("gives 1 when something was lost, and 4 when the guest crashed", async () => {
    assert.equal((await command([], { outcome: "failed" })).code, 1);
    assert.equal((await command([], { outcome: "crashed" })).code, 4);
  });

  it("prints its usage", async () => {
    const { code, text, asked } = await command(["--help"]);
    assert.deepEqual([code, asked], [0, undefined]);
    assert.match(text, /^usage: xenolith stress/);
  });
});
