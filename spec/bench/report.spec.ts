import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { jsonLine, ratioOf, type Result, tableHead, tableRow } from "./report.js";

const RESULT: Result = {
  name: "pio-out",
  unit: "ns",
  value: { median: 8123.456, low: 8000, high: 9000 },
  peer: { median: 10000, low: 9000, high: 11000 },
  others: new Map([["C loop", { median: 7900, low: 7800, high: 8000 }]]),
};

describe("benchmark report", () => {
  it("prints one JSON object without a line break, with four significant digits", () => {
    assert.equal(
      jsonLine(RESULT),
      '{"name":"pio-out","unit":"ns","value":8123,"peer":10000,"ratio":0.8123,' +
        '"spread":{"value":[8000,9000],"peer":[9000,11000]}}',
    );
  });

  it("says null for a peer that cannot do it", () => {
    assert.deepEqual(JSON.parse(jsonLine({ ...RESULT, peer: undefined })), {
      name: "pio-out",
      unit: "ns",
      value: 8123,
      peer: null,
      ratio: null,
      spread: { value: [8000, 9000], peer: null },
    });
  });

  it("has no ratio to a peer of 0", () => {
    assert.equal(ratioOf({ ...RESULT, peer: { median: 0, low: 0, high: 0 } }), undefined);
  });

  it("says what the inverse of a time is, where people ask for that", () => {
    const line = jsonLine({ ...RESULT, inverse: { name: "perSecond", numerator: 1e9 } });
    assert.deepEqual((JSON.parse(line) as { perSecond: unknown }).perSecond, { value: 123_100, peer: 100_000 });
  });

  it("is ahead below 1", () => {
    assert.ok((ratioOf(RESULT) ?? 1) < 1);
  });

  it("aligns the table's columns, and puts what else was measured at the end", () => {
    const row = tableRow(RESULT);
    assert.equal(row.indexOf("8123 (8000..9000)"), tableHead().indexOf("Xenolith"));
    assert.equal(row.indexOf("10000 (9000..11000)"), tableHead().indexOf("QEMU"));
    assert.match(row, /0\.81 +C loop 7900 \(7800\.\.8000\)$/);
    assert.match(tableRow({ ...RESULT, peer: undefined, others: new Map() }), / - +-$/);
  });
});
