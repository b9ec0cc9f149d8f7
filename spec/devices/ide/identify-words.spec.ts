/** [ATA-6] 8.15.8: words are little-endian, and a text's first character is a word's upper byte. */
import assert from "node:assert/strict";
import { putWord, putWordText } from "../../../devices/ide/identify-words.js";

describe("IDENTIFY words", () => {
  it("are little-endian", () => {
    const target = new Uint8Array(8);
    putWord(target, 1, 0x1234);
    assert.deepEqual([...target], [0, 0, 0x34, 0x12, 0, 0, 0, 0]);
  });

  it("swap the bytes of texts, and fill them up with blanks", () => {
    const target = new Uint8Array(8);
    putWordText(target, 1, 2, "abc");
    assert.deepEqual([...target], [0, 0, 0x62, 0x61, 0x20, 0x63, 0, 0]);
  });

  it("cut what is too long", () => {
    const target = new Uint8Array(4);
    putWordText(target, 0, 1, "abc");
    assert.deepEqual([...target], [0x62, 0x61, 0, 0]);
  });
});
