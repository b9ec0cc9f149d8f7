import assert from "node:assert/strict";
import { VmmError } from "../../shared/errors.js";
import { restoreChip, saveChip, words } from "../../devices/chip-state.js";
import type { ChipState } from "../../devices/chip-state.js";
import { smallArena } from "./port-driver.js";

describe("words()", () => {
  it("numbers names in order", () => {
    assert.deepEqual({ ...words(["irr", "imr"]) }, { irr: 0, imr: 1 });
  });
});

describe("saveChip() and restoreChip()", () => {
  it("carry every array over, as plain data", () => {
    const arena = smallArena();
    const integers = arena.int32(2);
    const doubles = arena.float64(2);
    integers.set([-1, 7]);
    doubles.set([2 ** 52, 0.5]);
    const state = JSON.parse(JSON.stringify(saveChip(3, integers, doubles))) as ChipState;
    integers.fill(0);
    doubles.fill(0);
    restoreChip(state, 3, integers, doubles);
    assert.deepEqual([...integers, ...doubles], [-1, 7, 2 ** 52, 0.5]);
  });

  it("refuse another version, another shape and what is not a number", () => {
    const target = smallArena().int32(1);
    const states = [
      { version: 2, words: [1] },
      { version: 1, words: [1, 2] },
      { version: 1, words: ["1"] },
      { version: 1, words: [Number.NaN] },
      { version: 1 },
    ] as unknown as readonly ChipState[];
    for (const state of states) {
      assert.throws(() => {
        restoreChip(state, 1, target);
      }, VmmError);
    }
    assert.equal(target[0], 0);
  });
});
