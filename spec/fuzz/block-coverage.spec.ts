import assert from "node:assert/strict";
import { BlockCoverage, ReachedCode } from "./block-coverage.js";

function sign(value: number): string {
  if (value < 0) return "negative";
  return value > 0 ? "positive" : "zero";
}

describe("BlockCoverage", () => {
  const coverage = new BlockCoverage((url) => url === import.meta.url);
  const code = new ReachedCode();

  after(() => {
    coverage.close();
  });

  it("has what has run since the last look, once it is new", () => {
    coverage.take();
    for (const [value, isNew] of [
      [1, true],
      [2, false],
      [-1, true],
      [0, true],
      [-1, false],
    ] as const) {
      sign(value);
      const runs = coverage.take();
      assert.equal(code.lacks(runs), isNew, `sign(${value})`);
      assert.equal(code.add(runs) > 0, isNew);
      assert.equal(code.lacks(runs), false);
    }
    assert.ok(code.size > 0);
  });
});
