import assert from "node:assert/strict";
import { Tally } from "../../stress/tally.js";

function beat(counts: Readonly<Record<string, readonly [events: number, operations: number, longestUs: number]>>) {
  return new Map(
    Object.entries(counts).map(([name, [events, operations, longestUs]]) => [name, { events, operations, longestUs }]),
  );
}

describe("Tally", () => {
  it("has the last beat of each life, summed", () => {
    const tally = new Tally();
    tally.startOver();
    tally.update(beat({ storm: [10, 1, 5], poll: [1, 1, 1] }));
    tally.update(beat({ storm: [30, 2, 7], poll: [2, 2, 1] }));
    tally.startOver();
    tally.update(beat({ storm: [5, 1, 6] }));
    assert.deepEqual(tally.workloads, [
      { name: "storm", events: 35, operations: 3, longestUs: 7 },
      { name: "poll", events: 2, operations: 2, longestUs: 1 },
    ]);
    assert.equal(tally.events, 37);
  });
});
