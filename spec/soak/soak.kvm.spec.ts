/** The soak, short: nothing grows but memory's pools, which only the long form (`npm run soak`) can judge. */
import assert from "node:assert/strict";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { growth, loggedTooMuch } from "./holdings.js";
import { soakMachines, soakPauses, soakResets } from "./soak.js";
import type { SoakHost, SoakResult } from "./soak.js";

describe("A process that has many machines", function () {
  this.timeout(300_000);
  const folder = temporaryFolder();
  const usual = process.env["TMPDIR"];
  const host: SoakHost = {
    allowedKib: Infinity,
    file: (name, content) => folder.file(name, content),
    progress: () => undefined,
  };

  before(function () {
    requireKvm(this, "hello.elf", "life.elf");
    process.env["TMPDIR"] = folder.path(".");
  });

  after(() => {
    if (usual === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = usual;
  });

  function assertSound(result: SoakResult, done: number): void {
    assert.deepEqual([result.done, result.problems], [done, []]);
  }

  it("holds afterwards what it held before, with 8 at a time", async () => {
    assertSound(await soakMachines(host, 24, 8), 24);
  });

  it("resets one over and over: each time its guest starts once", async () => {
    assertSound(await soakResets(host, 20), 20);
  });

  it("pauses and resumes one while its disk is busy, and no line of its guest is lost", async () => {
    assertSound(await soakPauses(host, 100), 100);
  });
});

describe("growth()", () => {
  const held = { descriptors: 20, threads: 11, mappings: 0, files: 1, residentKib: 100_000 };

  it("tells of whatever there is more of", () => {
    assert.deepEqual(growth(held, { ...held, descriptors: 21, residentKib: 100_500 }, 499), [
      "descriptors: 20 before, 21 after",
      "resident memory: 500 KiB more, 499 allowed",
    ]);
  });

  it("has nothing to say of what went, or of memory within its bounds", () => {
    assert.deepEqual(growth(held, { ...held, threads: 10, residentKib: 100_500 }, 500), []);
  });
});

describe("loggedTooMuch()", () => {
  it("tells of more lines than are allowed", () => {
    assert.deepEqual(loggedTooMuch(1.5, 1), ["log: 1.5 lines each, 1 allowed"]);
    assert.deepEqual(loggedTooMuch(1, 1), []);
  });
});
