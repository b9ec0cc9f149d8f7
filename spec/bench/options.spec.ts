import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { BenchError } from "./errors.js";
import { LOCAL_NAMES, parseBenchOptions, TESTBED_NAMES, XEN_NAMES } from "./options.js";

describe("benchmark options", () => {
  it("runs what needs no testbed when nothing is asked for", () => {
    const { local, xen, xenInTestbed, testbed, json } = parseBenchOptions([]);
    assert.deepEqual([local, xen, xenInTestbed], [LOCAL_NAMES, XEN_NAMES, false]);
    assert.deepEqual(testbed, []);
    assert.equal(json, false);
  });

  it("runs everything with --testbed", () => {
    const { local, xenInTestbed, testbed } = parseBenchOptions(["--testbed", "--json"]);
    assert.deepEqual([local, xenInTestbed, testbed], [LOCAL_NAMES, true, TESTBED_NAMES]);
  });

  it("runs only what --only names, in the testbed where it is one of its own", () => {
    const { local, testbed } = parseBenchOptions(["--only", "boot-to-init", "--only", "hypercall"]);
    assert.deepEqual([local, testbed], [["hypercall"], ["boot-to-init"]]);
    assert.deepEqual(parseBenchOptions(["--testbed", "--only", "pio-out"]).testbed, []);
  });

  it("takes a beginning, or an asterisk, for all names that it fits", () => {
    const xen = (only: string): readonly string[] => parseBenchOptions(["--only", only]).xen;
    assert.deepEqual(xen("ipi-storm"), ["ipi-storm-1", "ipi-storm-2", "ipi-storm-4"]);
    assert.deepEqual(xen("evtchn-send"), ["evtchn-send-self", "evtchn-send-other"]);
    assert.equal(xen("hypercall-*").length, 12);
    // A name of its own.
    assert.deepEqual(xen("hypercall"), []);
    assert.throws(() => xen("ip"), BenchError);
  });

  it("boots fewer Linuxes than it runs loops, unless told otherwise", () => {
    const { rounds, testbedRounds } = parseBenchOptions([]);
    assert.ok(testbedRounds < rounds);
    const told = parseBenchOptions(["--rounds", "5"]);
    assert.deepEqual([told.rounds, told.testbedRounds], [5, 5]);
  });

  it("refuses what it does not know, naming it", () => {
    assert.throws(() => parseBenchOptions(["--only", "port"]), { name: "BenchError", message: /no benchmark port;/ });
    assert.throws(() => parseBenchOptions(["--fast"]), { name: "BenchError", message: /--fast/ });
    assert.throws(() => parseBenchOptions(["more"]), BenchError);
  });

  it("refuses rounds that are no whole number from 1", () => {
    for (const text of ["0", "-1", "1.5", "many", "", "1001"]) {
      assert.throws(() => parseBenchOptions([`--rounds=${text}`]), { name: "BenchError", message: /^--rounds/ });
    }
  });
});
