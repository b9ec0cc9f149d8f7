import assert from "node:assert/strict";
import { LineBuffer } from "../../devices/line-buffer.js";
import { smallArena } from "./port-driver.js";

function lines(text: Iterable<string>): readonly string[] {
  const buffer = new LineBuffer(smallArena());
  return Array.from(text).flatMap((character) => buffer.push(character.charCodeAt(0)) ?? []);
}

describe("LineBuffer", () => {
  it("gives a line when its newline comes", () => {
    assert.deepEqual(lines("one\n\ntwo\nthree"), ["one", "", "two"]);
  });

  it("cuts a line that does not end at 4096 bytes (U2)", () => {
    const cut = lines("x".repeat(10_000));
    assert.deepEqual(
      cut.map(({ length }) => length),
      [4096, 4096],
    );
  });

  it("leaves control characters for the log to escape (U2)", () => {
    assert.deepEqual(lines("\u001b[2J\u0000\n"), ["\u001b[2J\u0000"]);
  });

  it("forgets an unfinished line on clear", () => {
    const buffer = new LineBuffer(smallArena());
    buffer.push(0x41);
    buffer.clear();
    assert.equal(buffer.push(0x0a), "");
  });
});
