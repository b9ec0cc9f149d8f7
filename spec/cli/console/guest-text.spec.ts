import assert from "node:assert/strict";
import { GuestText } from "../../../cli/console/guest-text.js";

function shown(...pieces: readonly (string | readonly number[])[]): string {
  const text = new GuestText();
  const parts = pieces.map((piece) =>
    text.show(typeof piece === "string" ? new TextEncoder().encode(piece) : Uint8Array.from(piece)),
  );
  return Buffer.concat(parts).toString("utf8");
}

/** What a guest writes, what the terminal gets, and why. */
const TEXTS = [
  ["lines\tand tabs\n", "lines\tand tabs\n", "are text"],
  ["end\r\nof line\r\n", "end\nof line\n", "a carriage return could take back what was said"],
  ["\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07", "escape sequences drive a terminal"],
  ["\0\x08\x7f", "\\x00\\x08\\x7f", "so do NUL, backspace and delete"],
  ["\x9b2J \u2028", "\\x9b2J \\x2028", "so do C1 controls, by UTF-8; line separators forge lines"],
  ["grüße ✓", "grüße ✓", "other text is not ASCII"],
] as const;

describe("GuestText", () => {
  for (const [written, expected, why] of TEXTS) {
    it(`shows ${JSON.stringify(expected)}: ${why}`, () => {
      assert.equal(shown(written), expected);
    });
  }

  it("puts a character together that comes in two pieces", () => {
    assert.equal(shown([0x61, 0xe2, 0x9c], [0x93]), "a✓");
  });

  it("shows a bare C1 byte, which is no UTF-8, as U+FFFD", () => {
    assert.equal(shown([0x9b, 0x32, 0x4a]), "\ufffd2J");
  });
});
