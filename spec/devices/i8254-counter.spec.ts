/** [8254] Intel 8254 Programmable Interval Timer, 231164-005, "Mode definitions" */
import assert from "node:assert/strict";
import { initialOutput, outputAt, risingEdge, valueAt } from "../../devices/i8254-counter.js";

/** OUT at clocks 0..9 with a count of 4. */
function wave(mode: number): string {
  return Array.from({ length: 10 }, (_, clock) => outputAt(mode, 4, clock)).join("");
}

describe("outputAt()", () => {
  it("draws the data sheet's wave forms for a count of 4", () => {
    assert.equal(wave(0), "0000111111");
    assert.equal(wave(1), "0000111111");
    assert.equal(wave(2), "1110111011");
    assert.equal(wave(3), "1100110011");
    assert.equal(wave(4), "1111011111");
    assert.equal(wave(5), "1111011111");
  });

  it("gives the odd clock of mode 3 to the high half", () => {
    assert.equal(Array.from({ length: 10 }, (_, clock) => outputAt(3, 5, clock)).join(""), "1110011100");
  });
});

describe("initialOutput()", () => {
  it("is low in mode 0 only", () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5].map(initialOutput), [0, 1, 1, 1, 1, 1]);
  });
});

describe("valueAt()", () => {
  it("reloads in the periodic modes and runs on in the others", () => {
    assert.deepEqual(
      [0, 1, 3, 4, 5].map((clock) => valueAt(2, 4, clock)),
      [4, 3, 1, 4, 3],
    );
    assert.deepEqual(
      [0, 1, 2, 3].map((clock) => valueAt(3, 4, clock)),
      [4, 2, 4, 2],
    );
    assert.deepEqual(
      [0, 4, 5].map((clock) => valueAt(0, 4, clock)),
      [4, 0, -1],
    );
  });
});

describe("risingEdge()", () => {
  it("comes every period, or once", () => {
    assert.equal(risingEdge(2, 100, 3), 300);
    assert.equal(risingEdge(3, 100, 1), 100);
    assert.equal(risingEdge(0, 100, 1), 100);
    assert.equal(risingEdge(4, 100, 1), 101);
  });
});
