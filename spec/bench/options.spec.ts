import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { BenchError } from "./errors.js";
import { LOCAL_NAMES, parseBenchOptions, TESTBED_NAMES } from "./options.js";

describe("benchmark options", () => {
  it("runs what needs no testbed when nothing is asked for", () => {
    const { local, testbed, json } = parseBenchOptions([]);
    assert.deepEqual(local, LOCAL_NAMES);
    assert.deepEqual(testbed, []);
    assert.equal(json, false);
  });

  it("runs everything with --testbed", () => {
    const { local, testbed } = parseBenchOptions(["--testbed", "--json"]);
    assert.deepEqual([local, testbed], [LOCAL_NAMES, TESTBED_NAMES]);
  });

  it("runs only what --only names, in the testbed where it is one of its own", () => {
    const { local, testbed } = parseBenchOptions(["--only", "boot-to-init", "--only", "hypercall"]);
    assert.deepEqual([local, testbed], [["hypercall"], ["boot-to-init"]]);
    assert.deepEqual(parseBenchOptions(["--testbed", "--only", "pio-out"]).testbed, []);
  });

  it("boots fewer Linuxes than it runs loops, unless told otherwise", () => {
    const { rounds, testbedRounds } = parseBenchOptions([]);
    assert.ok(testbedRounds < rounds);
    const told = parseBenchOptions(["--rounds", "5"]);
    assert.deepEqual([told.rounds, told.testbedRounds], [5, 5]);
  });

  it("refuses what it does not know, naming it", () => {
    assert.throws(() => parseBenchOptions(["--only", "pio"]), { name: "BenchError", message: /no benchmark pio;/ });
    assert.throws(() => parseBenchOptions(["--fast"]), { name: "BenchError", message: /--fast/ });
    assert.throws(() => parseBenchOptions(["more"]), BenchError);
  });

  it("refuses rounds that are no whole number from 1", () => {
    for (const text of ["0", "-1", "1.5", "many", "", "1001"]) {
      assert.throws(() => parseBenchOptions([`--rounds=${text}`]), { name: "BenchError", message: /^--rounds/ });
    }
  });
});
