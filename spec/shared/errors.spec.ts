import assert from "node:assert/strict";
import { fromRecord, toRecord, unreachable, VmmError } from "../../shared/errors.js";
import type { ErrorRecord } from "../../shared/errors.js";
import { callWorker } from "../support/call-worker.js";

describe("VmmError", () => {
  it("has a code from a closed set, details and a cause", () => {
    const cause = new Error("no such file");
    const error = new VmmError("CONFIG", "Cannot load it", { path: "/k" }, { cause });
    assert.deepEqual(
      { name: error.name, code: error.code, details: error.details, cause: error.cause },
      { name: "VmmError", code: "CONFIG", details: { path: "/k" }, cause },
    );
  });
});

describe("toRecord() and fromRecord()", () => {
  it("keep code, details, stack and causes where structured clone alone loses them", () => {
    const error = new VmmError("HOST_SYSCALL", "Cannot run", { errno: 5 }, { cause: new TypeError("inner") });
    const back = fromRecord(structuredClone(toRecord(error)));
    assert(back instanceof VmmError);
    assert.deepEqual([back.code, back.details, back.stack], ["HOST_SYSCALL", { errno: 5 }, error.stack]);
    assert(back.cause instanceof Error);
    assert.deepEqual([back.cause.name, back.cause.message], ["TypeError", "inner"]);
  });

  it("bring an error of another thread over with the stack that it had there", async () => {
    const record = (await callWorker(new URL("errors-worker.js", import.meta.url), undefined)) as ErrorRecord;
    const error = fromRecord(record);
    assert(error instanceof VmmError);
    assert.equal(error.code, "GUEST_CRASHED");
    assert.match(error.stack ?? "", /failInWorker/);
    assert.match((error.cause as Error).message, /deeper/);
  });

  it("take anything that can be thrown", () => {
    assert.equal(toRecord("text").message, "text");
    assert.equal(toRecord(undefined).message, "undefined");
    assert.equal(toRecord({ toString: () => "object" }).message, "object");
    assert.equal(fromRecord(toRecord(new RangeError("r"))).name, "RangeError");
  });

  it("end a chain of causes that goes round in a circle", () => {
    const first = new Error("first");
    first.cause = new Error("second", { cause: first });
    let depth = 0;
    for (let record: ErrorRecord | undefined = toRecord(first); record !== undefined; record = record.cause) depth++;
    assert.equal(depth, 9);
  });
});

describe("unreachable()", () => {
  it("throws, naming the value that should not be", () => {
    assert.throws(() => unreachable({ kind: "new" } as never), /Unreachable: \{"kind":"new"\}/);
  });
});
