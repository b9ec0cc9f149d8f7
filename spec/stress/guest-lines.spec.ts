import assert from "node:assert/strict";
import { GuestLineReader, parseGuestLine } from "../../stress/guest-lines.js";
import type { GuestLine } from "../../stress/guest-lines.js";

const LINES: readonly (readonly [string, GuestLine])[] = [
  ["begin cpus=4 channels=fifo", { kind: "begin", vcpus: 4, channels: "fifo" }],
  // A reset came in the middle of a line.
  ["beat 1200 sto" + "begin cpus=1 channels=2-level", { kind: "begin", vcpus: 1, channels: "2-level" }],
  ["fail storm event 3 was lost", { kind: "fail", from: "storm", text: "event 3 was lost" }],
  ["heard 12", { kind: "heard", number: 12 }],
  ["target 77", { kind: "target", kib: 77 }],
  ["sum 8 4294967295", { kind: "sum", disk: 8, sum: 4294967295 }],
  ["end passed", { kind: "end", passed: true }],
  ["end failed", { kind: "end", passed: false }],
  ["end", { kind: "end", passed: false }],
  ["hello", { kind: "note", text: "hello" }],
  [
    "beat 1200 storm=12/0/5 poll=3/4/0 odd=x/1/1",
    {
      kind: "beat",
      counts: new Map([
        ["storm", { events: 12, operations: 0, longestUs: 5 }],
        ["poll", { events: 3, operations: 4, longestUs: 0 }],
      ]),
    },
  ],
];

describe("parseGuestLine()", () => {
  for (const [text, line] of LINES) {
    it(`reads "${text}"`, () => {
      assert.deepEqual(parseGuestLine(text), line);
    });
  }
});

describe("GuestLineReader", () => {
  it("puts lines together from pieces, and cuts what is too long", () => {
    const lines: GuestLine[] = [];
    const reader = new GuestLineReader((line) => lines.push(line));
    for (const piece of ["he", "ard 1\r\nend pas", "sed\n", `${"x".repeat(5000)}\n`, "not ended"]) {
      reader.push(new TextEncoder().encode(piece));
    }
    assert.deepEqual(lines, [
      { kind: "heard", number: 1 },
      { kind: "end", passed: true },
      { kind: "note", text: "x".repeat(1024) },
    ]);
  });
});
