/** [CONSOLEIO] xen.git xen/drivers/char/console.c, guest_console_write() */
import assert from "node:assert/strict";
import { isConsoleText, keepConsoleText } from "../../xen/console-text.js";

describe("isConsoleText()", () => {
  it("takes printable ASCII, tabs and the ends of lines", () => {
    const taken = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => isConsoleText(byte));
    const printable = Array.from({ length: 95 }, (_, i) => 0x20 + i);
    assert.deepEqual(taken, [0x09, 0x0a, ...printable]);
  });
});

describe("keepConsoleText()", () => {
  it("moves the text to the front, and looks no further than it is told", () => {
    const bytes = Buffer.from("\0a\x1b[1mb\r\n\x7f\xffc!", "latin1");
    const kept = keepConsoleText(bytes, bytes.length - 1);
    assert.equal(bytes.toString("latin1", 0, kept), "a[1mb\nc");
  });

  it("finds no text among zeros", () => {
    assert.equal(keepConsoleText(new Uint8Array(8), 8), 0);
  });
});
