import assert from "node:assert/strict";
import fc from "fast-check";
import { Tally, TapReader } from "../../../cli/selftest/tap.js";
import type { TapEvent } from "../../../cli/selftest/tap.js";

function read(text: string): readonly TapEvent[] {
  const events: TapEvent[] = [];
  const reader = new TapReader((event) => events.push(event));
  reader.push(new TextEncoder().encode(text));
  reader.end();
  return events;
}

function tally(text: string): Tally {
  const sum = new Tally();
  for (const event of read(text)) sum.count(event);
  return sum;
}

describe("TapReader", () => {
  const lines: readonly [string, TapEvent][] = [
    ["1..12", { kind: "plan", count: 12 }],
    ["ok 1 - event channels", { kind: "check", number: 1, name: "event channels", verdict: "passed", detail: "" }],
    ["not ok 2 - timers # got 3", { kind: "check", number: 2, name: "timers", verdict: "failed", detail: "got 3" }],
    ["ok 3 - ipi # SKIP one vCPU", { kind: "check", number: 3, name: "ipi", verdict: "skipped", detail: "one vCPU" }],
    ["not ok 3 - ipi # skip", { kind: "check", number: 3, name: "ipi", verdict: "failed", detail: "skip" }],
    ["ok 4", { kind: "check", number: 4, name: "", verdict: "passed", detail: "" }],
    ["# booting", { kind: "comment", text: "booting" }],
    ["garbage", { kind: "comment", text: "garbage" }],
    ["okay", { kind: "comment", text: "okay" }],
    ["Bail out! no memory", { kind: "bail", text: "no memory" }],
  ];
  for (const [line, event] of lines) {
    it(`reads ${line}`, () => {
      assert.deepEqual(read(`${line}\r\n`), [event]);
    });
  }

  it("cuts a line without end", () => {
    const [event] = read("x".repeat(10_000));
    assert.equal(event?.kind === "comment" && event.text.length, 1024);
  });

  it("reads the same however the bytes are cut, and throws at none", () => {
    const text = fc.array(fc.constantFrom("ok 1 - a\n", "not ok 2 #", "1..3\n", "\n", "#", " ", "9"), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(text, fc.nat(100), (parts, cut) => {
        const bytes = new TextEncoder().encode(parts.join(""));
        const events: TapEvent[] = [];
        const reader = new TapReader((event) => events.push(event));
        reader.push(bytes.subarray(0, cut));
        reader.push(bytes.subarray(cut));
        reader.end();
        assert.deepEqual(events, read(parts.join("")));
      }),
    );
  });
});

describe("Tally", () => {
  const gaps: readonly [string, string | undefined][] = [
    ["1..2\nok 1 - a\nnot ok 2 - b\n", undefined],
    ["ok 1 - a\n1..1\n", undefined],
    ["ok 1 - a\n", "the guest ended without saying how many checks there are"],
    ["1..0\n", "there was not one check"],
    ["1..3\nok 1\nok 3\n", "check 2 of 3 never came"],
    ["1..1\nok 1\nBail out! x\n", "the guest gave up"],
  ];
  for (const [text, gap] of gaps) {
    it(`finds ${gap ?? "nothing missing"} in ${JSON.stringify(text)}`, () => {
      assert.equal(tally(text).gap, gap);
    });
  }

  it("counts by verdict", () => {
    const { passed, failed, skipped } = tally("ok 1\nok 2 # SKIP\nnot ok 3\nok 4\n");
    assert.deepEqual([passed, failed, skipped], [2, 1, 1]);
  });
});
