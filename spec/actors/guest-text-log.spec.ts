import assert from "node:assert/strict";
import { GuestTextLog } from "../../actors/guest-text-log.js";
import { logTo } from "../../shared/log.js";

function made(): { readonly console: GuestTextLog; readonly lines: string[] } {
  const lines: string[] = [];
  return {
    console: new GuestTextLog(
      logTo("devices", ({ message }) => lines.push(message)),
      "xen console",
    ),
    lines,
  };
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

describe("GuestTextLog", () => {
  it("logs whole lines, however they come", () => {
    const { console, lines } = made();
    for (const part of ["(d1) hel", "lo\r\nsec", "ond\n", "\n", "rest"]) console.write(bytes(part));
    assert.deepEqual(lines, ["xen console: (d1) hello", "xen console: second"]);
  });

  it("logs the last line when nothing more comes, though it has no newline", () => {
    const { console, lines } = made();
    console.write(bytes("(d1) panic"));
    assert.deepEqual([console.finish(), console.finish()], [true, false]);
    assert.deepEqual(lines, ["xen console: (d1) panic"]);
  });

  it("escapes what would drive a terminal (U2)", () => {
    const { console, lines } = made();
    console.write(bytes("\x1b[2J\x9b\0\n"));
    assert.deepEqual(lines, ["xen console: \\x1b[2J\\x9b\\x00"]);
  });

  it("stays bounded when a guest writes a megabyte without a newline, or lines for ever (U2)", () => {
    const { console, lines } = made();
    console.write(new Uint8Array(1 << 20).fill(0x61));
    assert(lines.every((line) => line.length <= "xen console: ".length + 1024));
    console.write(bytes("x\n".repeat(20_000)));
    assert.equal(lines.length, 10_000);
  });
});
