import assert from "node:assert/strict";
import { describeError, oneLine } from "../../cli/report.js";
import { UsageError } from "../../cli/usage.js";
import { VmmError } from "../../shared/errors.js";

describe("describeError()", () => {
  it("has one line for what a person can act on", () => {
    const cause = new Error("No such file or directory");
    const lines: readonly [unknown, string][] = [
      [new UsageError("--smp: no"), "--smp: no"],
      [new VmmError("CONFIG", "kernel.img is not a kernel"), "kernel.img is not a kernel"],
      [
        new VmmError("CONFIG", "-", { path: "disks.1.readOnly", reason: "must be true" }),
        "--drive readonly: must be true",
      ],
      [
        new VmmError("CONFIG", "cpu.features.foo: x", { path: "cpu.features.foo", reason: "is unknown" }),
        "--cpu foo: is unknown",
      ],
      [
        new VmmError("CONFIG", "-", {
          path: "cpu.features.sse4.3",
          reason: "there is no such CPU feature",
          given: "sse4.3",
          known: "sse sse4.2 avx",
        }),
        "--cpu sse4.3: there is no such CPU feature: did you mean 'sse4.2'?",
      ],
      [new VmmError("CONFIG", "elsewhere: bad", { path: "elsewhere", reason: "bad" }), "elsewhere: bad"],
      [new VmmError("HOST_SYSCALL", "Cannot open a", {}, { cause }), "Cannot open a: No such file or directory"],
      [
        new VmmError("HOST_SYSCALL", `Cannot open a: ${cause.message}`, {}, { cause }),
        "Cannot open a: No such file or directory",
      ],
      [new VmmError("CONFIG", "odd\nname"), "odd\\x0aname"],
    ];
    for (const [error, line] of lines) assert.equal(describeError(error), line);
  });

  it("shows the stack of our own bugs, with their causes", () => {
    const bug = new TypeError("x is not a function", { cause: new RangeError("deeper") });
    assert.match(
      describeError(bug),
      /^TypeError: x is not a function\n +at [^]*\ncaused by: RangeError: deeper\n +at /,
    );
    assert.match(describeError(new VmmError("ACTOR_FAILED", "vcpu0 died")), /vcpu0 died\n +at /);
  });
});

describe("oneLine()", () => {
  it("makes every control character visible", () => {
    assert.equal(oneLine("a\x1b[0m\r\n\u009b\u2028é"), "a\\x1b[0m\\x0d\\x0a\\x9b\\x2028é");
  });
});
