import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { interleave, summarize } from "./statistics.js";

describe("benchmark statistics", () => {
  it("takes the middle of an odd number of samples, and the mean of both middles of an even one", () => {
    assert.deepEqual(summarize([9, 1, 5]), { median: 5, low: 1, high: 9 });
    assert.deepEqual(summarize([9, 1, 4, 6]), { median: 5, low: 1, high: 9 });
    assert.deepEqual(summarize([7]), { median: 7, low: 7, high: 7 });
  });

  it("orders by value, not by text", () => {
    assert.equal(summarize([100, 9, 10]).median, 10);
  });

  it("has as many samples above the median as below, whatever their order", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (samples) => {
        const { median, low, high } = summarize(samples);
        assert.ok(low <= median && median <= high);
        assert.ok(samples.filter((sample) => sample < median).length <= samples.length / 2);
        assert.ok(samples.filter((sample) => sample > median).length <= samples.length / 2);
        assert.deepEqual(summarize([...samples].reverse()), { median, low, high });
      }),
    );
  });

  it("makes no figure of nothing, nor of what is no number", () => {
    assert.throws(() => summarize([]), RangeError);
    assert.throws(() => summarize([1, Number.NaN]), RangeError);
  });

  it("takes one sample of each variant per round, in turn", async () => {
    const order: string[] = [];
    const sampler = (name: string) => () => Promise.resolve(order.push(name));
    const samples = await interleave(
      2,
      new Map([
        ["a", sampler("a")],
        ["b", sampler("b")],
      ]),
    );
    assert.deepEqual(order, ["a", "b", "a", "b"]);
    assert.deepEqual(
      [...samples],
      [
        ["a", [1, 3]],
        ["b", [2, 4]],
      ],
    );
  });
});
