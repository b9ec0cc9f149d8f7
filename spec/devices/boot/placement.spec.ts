import assert from "node:assert/strict";
import fc from "fast-check";
import { Placement } from "../../../devices/boot/placement.js";
import { MIB } from "./fixtures.js";

describe("Placement", () => {
  it("gives the lowest place above the boot sector, aligned", () => {
    const placement = new Placement(4 * MIB);
    assert.equal(placement.takeLowest(10, 16), 0x9000);
    assert.equal(placement.takeLowest(10, 16), 0x9010);
    assert.equal(placement.takeLowest(4096, 4096), 0xa000);
  });

  it("goes on above 1 MiB when conventional memory is full", () => {
    const placement = new Placement(4 * MIB);
    assert.equal(placement.takeLowest(0x9_6c00, 1), 0x9000);
    assert.equal(placement.takeLowest(0x10, 16), 0x10_0000);
  });

  it("gives the highest place below a limit, and none below 1 MiB", () => {
    const placement = new Placement(4 * MIB);
    assert.equal(placement.takeHighest(0x1001, 4096, 2 ** 32), 0x3f_e000);
    assert.equal(placement.takeHighest(0x1000, 4096, 0x20_0800), 0x1f_f000);
    assert.equal(placement.takeHighest(0x1000, 4096, 0x10_0fff), undefined);
  });

  it("never gives RAM above 3.5 GiB", () => {
    assert.equal(new Placement(8 * 1024 * MIB).takeHighest(4096, 4096, 2 ** 40), 0xe000_0000 - 4096);
  });

  const claims: readonly [string, number, number, string | undefined][] = [
    ["the first page", 0, 4096, undefined],
    ["up to the extended BIOS data area", 0x9_fbff, 1, undefined],
    ["into it", 0x9_fbff, 2, "lies outside the guest's RAM"],
    ["the last byte", 0x3f_ffff, 1, undefined],
    ["one behind it", 0x3f_ffff, 2, "lies outside the guest's RAM"],
    ["across the hole", 0x9_0000, 0x10_0000, "lies outside the guest's RAM"],
    ["beyond all numbers", 2 ** 63, 2 ** 63, "lies outside the guest's RAM"],
    ["what is taken", 0x20_0fff, 1, "overlaps another part"],
    ["across what is taken", 0x1f_0000, 0x2_0000, "overlaps another part"],
    ["right behind what is taken", 0x20_1000, 1, undefined],
    ["nothing, inside what is taken", 0x20_0800, 0, undefined],
  ];
  for (const [what, start, length, outcome] of claims) {
    it(`answers a claim of ${what}`, () => {
      const placement = new Placement(4 * MIB);
      placement.claim(0x20_0000, 0x1000);
      assert.equal(placement.claim(start, length), outcome);
    });
  }

  it("never gives the same byte twice", () => {
    const request = fc.record({
      length: fc.integer({ min: 1, max: 0x8_0000 }),
      alignment: fc.constantFrom(1, 16, 4096, 0x1_0000),
      limit: fc.integer({ min: 0, max: 5 * MIB }),
      high: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 40 }), (requests) => {
        const placement = new Placement(4 * MIB);
        const spans = requests
          .map(({ length, alignment, limit, high }) => ({
            length,
            start: high
              ? placement.takeHighest(length, alignment, limit)
              : placement.takeLowest(length, alignment, limit),
          }))
          .flatMap(({ start, length }) => (start === undefined ? [] : [{ start, end: start + length }]))
          .sort((a, b) => a.start - b.start);
        return spans.every(
          ({ start, end }, i) => end <= (spans[i + 1]?.start ?? 4 * MIB) && (end <= 0x9_fc00 || start >= MIB),
        );
      }),
    );
  });
});
