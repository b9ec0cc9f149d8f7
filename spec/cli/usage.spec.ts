import assert from "node:assert/strict";
import { didYouMean } from "../../cli/usage.js";

describe("didYouMean()", () => {
  const options = ["--serial", "--smp", "--monitor", "--name", "--nic", "-m", "-S"];
  const cases: readonly [string, string][] = [
    ["srial", ": did you mean '--serial'?"],
    ["serail", ": did you mean '--serial'?"],
    ["SERIAL", ": did you mean '--serial'?"],
    ["moniter", ": did you mean '--monitor'?"],
    ["nam", ": did you mean '--name'?"],
    ["M", ": did you mean '-m'?"],
    ["x", ""],
    ["spice", ""],
    ["", ""],
    ["s".repeat(1_000_000), ""],
  ];
  for (const [word, hint] of cases) {
    it(`answers ${JSON.stringify(hint)} to ${JSON.stringify(word.slice(0, 20))}`, () => {
      assert.equal(didYouMean(word, options), hint);
    });
  }
});
