import assert from "node:assert/strict";
import { allOnes } from "../../shared/io.js";

describe("allOnes()", () => {
  it("gives an unsigned value as wide as the access", () => {
    assert.deepEqual([allOnes(1), allOnes(2), allOnes(4)], [255, 65_535, 4_294_967_295]);
  });
});
