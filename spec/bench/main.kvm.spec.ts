import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { COMPILED } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";
import { run } from "./process.js";

describe("npm run bench, on the local KVM", function () {
  this.timeout(120_000);

  before(function () {
    requireKvm(this, "bench.elf");
  });

  it("prints a JSON object a line, and only what --only names", async () => {
    const args = [join(COMPILED, "spec", "bench", "main.js"), "--json", "--only", "hypercall", "--rounds", "1"];
    const { stdout } = await run({ file: process.execPath, args }, 0);
    const [line, rest] = stdout.split("\n");
    const result = JSON.parse(line ?? "") as Record<string, unknown>;
    assert.equal(rest, "");
    assert.deepEqual(
      [result["name"], result["unit"], result["peer"], result["ratio"]],
      ["hypercall", "ns", null, null],
    );
    assert.ok(Number(result["value"]) > 0);
  });

  it("measures all names of one guest in one boot", async () => {
    const args = [join(COMPILED, "spec", "bench", "main.js"), "--json", "--only", "ipi-storm-2", "--only", "poll-wake"];
    const { stdout } = await run({ file: process.execPath, args: [...args, "--rounds", "1"] }, 0);
    const results = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string; value: number; perSecond?: { value: number } });
    assert.deepEqual(
      results.map(({ name }) => name),
      ["poll-wake", "ipi-storm-2"],
    );
    assert.ok(results.every(({ value }) => value > 0) && Number(results[1]?.perSecond?.value) > 0);
  });

  it("says what is wrong with an option in one line", async () => {
    const args = [join(COMPILED, "spec", "bench", "main.js"), "--only", "everything"];
    const { stderr } = await run({ file: process.execPath, args }, 2);
    assert.match(stderr, /^bench: --only: there is no benchmark everything;.*\n$/);
  });
});
