import assert from "node:assert/strict";
import fc from "fast-check";
import { domId, evtchnPort, gfn, gfnToGpa, gpa, gpaToGfn, port, vcpuId, vector } from "../../shared/brand.js";

/** [constructor, last value that it takes] */
const BRANDS = [
  ["gpa()", gpa, 2 ** 52 - 1],
  ["gfn()", gfn, 2 ** 40 - 1],
  ["port()", port, 0xffff],
  ["evtchnPort()", evtchnPort, 0x1_ffff],
  ["vcpuId()", vcpuId, 4095],
  ["domId()", domId, 0x7fff],
  ["vector()", vector, 255],
] as const;

for (const [name, brand, last] of BRANDS) {
  describe(name, () => {
    it(`takes 0 to ${last}`, () => {
      assert.deepEqual([brand(0), brand(last)], [0, last]);
    });

    it("refuses everything else with a RangeError that shows the value", () => {
      for (const value of [-1, last + 1, 0.5, NaN, Infinity, -Infinity]) {
        assert.throws(() => brand(value), { name: "RangeError", message: new RegExp(`Cannot use ${value} as`) });
      }
    });
  });
}

describe("gfnToGpa()", () => {
  it("does not wrap at 4 GiB as a shift would", () => {
    assert.equal(gfnToGpa(gfn(0x10_0000)), 0x1_0000_0000);
    assert.equal(gfnToGpa(gfn(2 ** 40 - 1)), 2 ** 52 - 4096);
  });

  it("is undone by gpaToGfn() for every address of the page", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 - 1 }), fc.integer({ min: 0, max: 4095 }), (frame, offset) => {
        assert.equal(gpaToGfn(gpa(gfnToGpa(gfn(frame)) + offset)), frame);
      }),
    );
  });
});
