import assert from "node:assert/strict";
import { randomSource } from "../../shared/random.js";

function draw(seed: number, count: number, limit: number): readonly number[] {
  const random = randomSource(seed);
  return Array.from({ length: count }, () => random(limit));
}

describe("randomSource()", () => {
  it("gives the same numbers for the same seed, and others for another", () => {
    assert.deepEqual(draw(7, 20, 1000), draw(7, 20, 1000));
    assert.notDeepEqual(draw(7, 20, 1000), draw(8, 20, 1000));
  });

  it("gives whole numbers below the limit, each about as often", () => {
    const counts = Array.from({ length: 6 }, () => 0);
    for (const number of draw(1, 6000, 6)) counts[number] = (counts[number] ?? NaN) + 1;
    assert.equal(counts.length, 6);
    assert.ok(
      counts.every((count) => count > 800 && count < 1200),
      counts.join(" "),
    );
  });
});
