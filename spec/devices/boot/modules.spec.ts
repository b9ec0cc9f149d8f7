import assert from "node:assert/strict";
import { parseModules } from "../../../devices/boot/modules.js";

describe("parseModules()", () => {
  const table: readonly [string, readonly (readonly [string, string])[]][] = [
    ["initrd.img", [["initrd.img", ""]]],
    [
      "a b c,d",
      [
        ["a", "b c"],
        ["d", ""],
      ],
    ],
    [
      "a x=1, b  y",
      [
        ["a", "x=1"],
        ["b", " y"],
      ],
    ],
    ["a,,b", [["a,b", ""]]],
    [
      "a,,,b",
      [
        ["a,", ""],
        ["b", ""],
      ],
    ],
    [
      "a o=1,,2,b",
      [
        ["a", "o=1,2"],
        ["b", ""],
      ],
    ],
  ];
  for (const [list, expected] of table) {
    it(`splits ${list}`, () => {
      assert.deepEqual(
        parseModules(list).map(({ path, args }) => [path, args]),
        expected,
      );
    });
  }

  for (const list of ["", ",a", "a,", "a, ,b", " "]) {
    it(`refuses an empty name: "${list}"`, () => {
      assert.throws(() => parseModules(list), { code: "CONFIG" });
    });
  }
});
