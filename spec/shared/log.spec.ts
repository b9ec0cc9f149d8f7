import assert from "node:assert/strict";
import fc from "fast-check";
import { LogLimiter, logTo, printable } from "../../shared/log.js";
import type { LogRecord } from "../../shared/log.js";

describe("logTo()", () => {
  it("hands records over with level, component and fields", () => {
    const records: LogRecord[] = [];
    const log = logTo("vcpu0", (record) => records.push(record));
    log.debug("a");
    log.info("b", { port: 7 });
    log.warn("c");
    log.error("d", { why: "x" });
    assert.deepEqual(records, [
      { level: "debug", component: "vcpu0", message: "a", fields: {} },
      { level: "info", component: "vcpu0", message: "b", fields: { port: 7 } },
      { level: "warn", component: "vcpu0", message: "c", fields: {} },
      { level: "error", component: "vcpu0", message: "d", fields: { why: "x" } },
    ]);
  });
});

describe("LogLimiter", () => {
  it("lets so many messages through for each key", () => {
    const limiter = new LogLimiter(2);
    assert.deepEqual(
      ["a", "a", "b", "a", "b", "b"].map((key) => limiter.allow(key)),
      [true, true, true, false, true, false],
    );
  });

  it("stays bounded when a guest makes up keys", () => {
    const limiter = new LogLimiter(1);
    const allowed = Array.from({ length: 1000 }, (_, i) => limiter.allow(`key ${i}`)).filter(Boolean).length;
    assert.equal(allowed, 64);
  });
});

describe("printable()", () => {
  it("escapes what would drive a terminal or forge a line", () => {
    const cases = [
      ["plain text, äöü 日本", "plain text, äöü 日本"],
      ["\x1b[2J", "\\x1b[2J"],
      ["a\nxenolith: error: forged", "a\\x0axenolith: error: forged"],
      ["\x00\x7f\x9b", "\\x00\\x7f\\x9b"],
      ["\u2028", "\\x2028"],
    ] as const;
    assert.deepEqual(
      cases.map(([given]) => printable(given)),
      cases.map(([, expected]) => expected),
    );
  });

  it("leaves no control character whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.doesNotMatch(printable(text), /[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });
});
