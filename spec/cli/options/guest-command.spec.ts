import assert from "node:assert/strict";
import { parseGuestCommand, transportName, wholeNumber } from "../../../cli/options/guest-command.js";

const OPTIONS = { smp: { type: "string" }, json: { type: "boolean" } } as const;

describe("parseGuestCommand()", () => {
  it("takes one dash for two", () => {
    assert.deepEqual({ ...parseGuestCommand("try", ["-smp", "2", "--json"], OPTIONS) }, { smp: "2", json: true });
  });

  it("refuses what it does not know, in one line", () => {
    const error = (message: string) => ({ name: "UsageError", message });
    assert.throws(
      () => parseGuestCommand("try", ["--jsn"], OPTIONS),
      error("try: unknown option '--jsn': did you mean '--json'?"),
    );
    assert.throws(() => parseGuestCommand("try", ["word"], OPTIONS), { name: "UsageError", message: /^try: .*word/ });
  });
});

describe("wholeNumber()", () => {
  it("has a fallback and a range", () => {
    assert.equal(wholeNumber("--n", undefined, { fallback: 3, max: 5 }), 3);
    assert.equal(wholeNumber("--n", "0", { fallback: 3, min: 0, max: 5 }), 0);
    assert.throws(() => wholeNumber("--n", "6", { fallback: 3, max: 5 }), {
      message: "--n: must be a whole number from 1 to 5, not '6'",
    });
  });
});

describe("transportName()", () => {
  it("is auto when nothing is said", () => {
    assert.equal(transportName(undefined), "auto");
  });
});
