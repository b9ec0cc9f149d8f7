import assert from "node:assert/strict";
import { exitCodeOfEnd, exitCodeOfError } from "../../cli/exit-codes.js";
import type { MachineEnd } from "../../cli/library.js";
import { UsageError } from "../../cli/usage.js";
import { VmmError } from "../../shared/errors.js";

describe("exitCodeOfEnd()", () => {
  const ends: readonly [MachineEnd, number][] = [
    [{ kind: "poweroff" }, 0],
    [{ kind: "reset-requested" }, 0],
    [{ kind: "stopped" }, 0],
    [{ kind: "debug-exit", code: 1 }, 1],
    [{ kind: "debug-exit", code: 33 }, 33],
    [{ kind: "debug-exit", code: 0x101 }, 1],
    [{ kind: "crash", report: "" }, 4],
    [{ kind: "failed", error: new VmmError("HOST_SYSCALL", "") }, 1],
  ];
  for (const [end, code] of ends) {
    it(`gives ${code} for ${JSON.stringify(end)}`, () => {
      assert.equal(exitCodeOfEnd(end), code);
    });
  }
});

describe("exitCodeOfError()", () => {
  const errors: readonly [unknown, number][] = [
    [new UsageError(""), 2],
    [new VmmError("CONFIG", ""), 2],
    [new VmmError("HOST_UNSUPPORTED", ""), 1],
    [new VmmError("HOST_SYSCALL", ""), 1],
    [new VmmError("ACTOR_FAILED", ""), 1],
    [new VmmError("GUEST_CRASHED", ""), 4],
    [new TypeError(""), 1],
    ["text", 1],
  ];
  for (const [error, code] of errors) {
    it(`gives ${code} for ${String(error)} ${error instanceof VmmError ? error.code : ""}`, () => {
      assert.equal(exitCodeOfError(error), code);
    });
  }
});
