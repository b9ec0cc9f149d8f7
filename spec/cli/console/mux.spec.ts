import assert from "node:assert/strict";
import fc from "fast-check";
import { Mux } from "../../../cli/console/mux.js";
import type { FrontEnd } from "../../../cli/options/chardevs.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A mux of `frontEnds` with a log of what it did. */
function newMux(...frontEnds: readonly [FrontEnd, ...FrontEnd[]]): { mux: Mux; log: string[] } {
  const log: string[] = [];
  const mux = new Mux(frontEnds, {
    send: (frontEnd, bytes) => log.push(`${frontEnd}<${decoder.decode(bytes)}`),
    sendBreak: (frontEnd) => log.push(`break ${frontEnd}`),
    show: (text) => log.push(`show ${text.trim().split("\n")[0] ?? ""}`),
    focused: (frontEnd) => log.push(`focus ${frontEnd}`),
    elapsedMs: () => 3_723_004,
    quit: () => log.push("quit"),
  });
  return { mux, log };
}

describe("Mux", () => {
  const cases: readonly [string, readonly string[]][] = [
    ["abc", ["serial0<abc"]],
    ["a\x01cb", ["serial0<a", "focus monitor", "monitor<b"]],
    ["\x01c\x01cb", ["focus monitor", "focus serial0", "serial0<b"]],
    ["a\x01\x01b", ["serial0<a", "serial0<\x01b"]],
    ["a\x01x", ["serial0<a", "show xenolith: terminated", "quit"]],
    ["a\x01bb", ["serial0<a", "break serial0", "serial0<b"]],
    ["a\x01sb", ["serial0<a", "serial0<b"]],
    ["\x01h", ["show Ctrl-A h   this help"]],
    ["a\x01zb", ["serial0<a", "serial0<b"]],
    ["", []],
  ];
  for (const [typed, log] of cases) {
    it(`takes ${JSON.stringify(typed)}`, () => {
      const { mux, log: actual } = newMux("serial0", "monitor");
      mux.input(encoder.encode(typed));
      assert.deepEqual(actual, log);
    });
  }

  it("stays where it is when there is nobody to switch to", () => {
    const { mux, log } = newMux("serial0");
    mux.input(encoder.encode("\x01ca"));
    assert.deepEqual(log, ["serial0<a"]);
  });

  it("gives time stamps to lines while they are on", () => {
    const { mux } = newMux("serial0");
    mux.input(encoder.encode("\x01t"));
    const stamped =
      decoder.decode(mux.output(encoder.encode("one\ntw"))) + decoder.decode(mux.output(encoder.encode("o\n")));
    mux.input(encoder.encode("\x01t"));
    assert.equal(stamped, "[01:02:03.004] one\n[01:02:03.004] two\n");
    assert.equal(decoder.decode(mux.output(encoder.encode("three"))), "three");
  });

  it("does the same however the input is cut", () => {
    const keys = fc.array(fc.constantFrom(0x01, 0x63, 0x61, 0x62, 0x74), { maxLength: 20 });
    fc.assert(
      fc.property(keys, fc.nat(20), (typed, cut) => {
        const whole = newMux("serial0", "xen-console", "monitor");
        const parts = newMux("serial0", "xen-console", "monitor");
        whole.mux.input(Uint8Array.from(typed));
        parts.mux.input(Uint8Array.from(typed.slice(0, cut)));
        parts.mux.input(Uint8Array.from(typed.slice(cut)));
        assert.equal(received(whole.log), received(parts.log));
      }),
    );
  });
});

/** What each front end got, without where it was cut. */
function received(log: readonly string[]): string {
  let text = "";
  let last = "";
  for (const entry of log) {
    const [frontEnd = "", bytes = ""] = entry.split("<");
    text += frontEnd === last ? bytes : `|${entry}`;
    last = entry.includes("<") ? frontEnd : "";
  }
  return text;
}
