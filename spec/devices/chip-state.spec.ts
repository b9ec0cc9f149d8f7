import assert from "node:assert/strict";
import { VmmError } from "../../shared/errors.js";
import { joinStates, restoreChip, restoreParts, saveChip, words } from "../../devices/chip-state.js";
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

describe("joinStates() and restoreParts()", () => {
  const parts: readonly ChipState[] = [
    { version: 1, words: [5, 6] },
    { version: 7, words: [] },
    { version: 2, words: [0.5] },
  ];

  function restored(state: ChipState, version: number, count: number): readonly ChipState[] {
    const seen: ChipState[] = [];
    restoreParts(
      state,
      version,
      new Array<(part: ChipState) => void>(count).fill((part) => seen.push(part)),
    );
    return seen;
  }

  it("give each part its own state, in order", () => {
    assert.deepEqual(restored(JSON.parse(JSON.stringify(joinStates(4, parts))) as ChipState, 4, 3), parts);
  });

  it("refuse another version, other numbers of parts, and lengths that lie", () => {
    const joined = joinStates(4, parts);
    const rows: readonly (readonly [ChipState, number, number])[] = [
      [joined, 5, 3],
      [joined, 4, 2],
      [joined, 4, 4],
      [{ version: 4, words: [1, 3, 5] }, 4, 1],
      [{ version: 4, words: [1, -2, 5] }, 4, 1],
      [{ version: 4, words: [1, Number.NaN] }, 4, 1],
      [{ version: 4 } as unknown as ChipState, 4, 1],
    ];
    for (const [state, version, count] of rows) assert.throws(() => restored(state, version, count), VmmError);
  });
});
