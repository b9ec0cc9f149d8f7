import assert from "node:assert/strict";
import fc from "fast-check";
import { parseStressOptions, stressUsage } from "../../../cli/stress/options.js";
import type { StressNames } from "../../../cli/stress/options.js";
import { UsageError } from "../../../cli/usage.js";

const NAMES: StressNames = {
  workloads: ["storm", "mask", "poll"],
  hostActions: ["pause", "reset"],
  plants: ["lost-event"],
  channels: ["2-level", "fifo"],
  maxVcpus: 4,
};

describe("parseStressOptions()", () => {
  it("leaves out what is not said", () => {
    assert.deepEqual(parseStressOptions([], NAMES), { stress: { transport: "auto" }, json: false, help: false });
  });

  it("reads every option, with one dash or two", () => {
    const argv = [
      ...["-smp", "4", "--seconds=5", "--events", "1000", "--seed", "0", "--only", "poll,storm", "--only", "poll"],
      ...["--host", "reset", "--transport", "userspace", "--channels", "fifo", "--patience", "9"],
      ...["--plant", "lost-event", "--perturb", "6", "--json", "-h"],
    ];
    assert.deepEqual(parseStressOptions(argv, NAMES), {
      stress: {
        vcpus: 4,
        seconds: 5,
        events: 1000,
        seed: 0,
        patienceSeconds: 9,
        transport: "userspace",
        channels: "fifo",
        plant: "lost-event",
        perturb: 6,
        workloads: ["storm", "poll"],
        hostActions: ["reset"],
      },
      json: true,
      help: true,
    });
  });

  it("takes none for no action of the host", () => {
    assert.deepEqual(parseStressOptions(["--host", "none"], NAMES).stress.hostActions, []);
  });

  it("leaves workloads out, of all or of those that are chosen", () => {
    const workloads = (...argv: string[]) => parseStressOptions(argv, NAMES).stress.workloads;
    assert.deepEqual(workloads("--without", "mask"), ["storm", "poll"]);
    assert.deepEqual(workloads("--only", "mask,poll", "--without", "poll", "--without", "storm"), ["mask"]);
  });

  const errors: readonly [readonly string[], string][] = [
    [["--smp", "5"], "--smp: must be a whole number from 1 to 4, not '5'"],
    [["--seed=-1"], "--seed: must be a whole number from 0 to 4294967295, not '-1'"],
    [["--only", "strom"], "--only: 'strom' is none of storm, mask, poll: did you mean 'storm'?"],
    [["--without", "storm,mask,poll"], "--without: leaves no workload"],
    [["--without", "pol"], "--without: 'pol' is none of storm, mask, poll: did you mean 'poll'?"],
    [["--host", "pause,none"], "--host: 'none' is none of pause, reset"],
    [["--channels", "3-level"], "--channels: '3-level' is none of 2-level, fifo: did you mean '2-level'?"],
    [["--sed", "1"], "stress: unknown option '--sed': did you mean '--seed'?"],
  ];
  for (const [argv, message] of errors) {
    it(`refuses ${argv.join(" ")}`, () => {
      assert.throws(() => parseStressOptions(argv, NAMES), { name: "UsageError", message });
    });
  }

  it("throws nothing but a usage error", () => {
    const word = fc.oneof(
      fc.constantFrom("--smp", "--only", "--host", "--json", "4", "storm", "--seed=x"),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word), (argv) => {
        try {
          parseStressOptions(argv, NAMES);
        } catch (error) {
          assert.ok(error instanceof UsageError);
        }
      }),
    );
  });
});

describe("stressUsage()", () => {
  it("lists every name", () => {
    const text = stressUsage(NAMES);
    for (const name of [...NAMES.workloads, ...NAMES.hostActions, ...NAMES.plants])
      assert.ok(text.includes(name), name);
  });
});
