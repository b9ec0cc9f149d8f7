import assert from "node:assert/strict";
import fc from "fast-check";
import { changed, RecordedDraw } from "./choices.js";
import { Draw } from "./draw.js";

function some(draw: Draw): unknown {
  return [draw.word(), draw.bytes(20), draw.mutated(new Uint8Array(100)), draw.of(["a", "b"])];
}

describe("RecordedDraw", () => {
  it("draws by its seed as others do, and again by what it drew", () => {
    const first = new RecordedDraw([], 7);
    const drawn = some(first);
    assert.deepEqual(drawn, some(new Draw(7)));
    const again = new RecordedDraw(first.choices, 8);
    assert.deepEqual(some(again), drawn);
    assert.deepEqual(again.choices, first.choices);
  });

  it("takes a choice that is none of those that there are for one that is", () => {
    const draw = new RecordedDraw([10, 3], 1);
    assert.deepEqual([draw.below(4), draw.below(4)], [2, 3]);
    assert.deepEqual(draw.choices, [2, 3]);
    assert.equal(new RecordedDraw([10], 1).below(0), 0);
  });
});

describe("changed()", () => {
  it("makes whole numbers of whole numbers, and leaves what it was given", () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), fc.array(fc.nat()), fc.nat(), (choices, others, seed) => {
        const before = [...choices];
        const result = changed(choices, others, new Draw(seed));
        assert.ok(result.every((choice) => Number.isSafeInteger(choice) && choice >= 0));
        assert.deepEqual(choices, before);
      }),
    );
  });
});
