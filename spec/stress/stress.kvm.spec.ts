/** The stress guest on this host's KVM: short, with fixed seeds; and faults that it must find. */
import assert from "node:assert/strict";
import { stress } from "../../stress/stress.js";
import { CHANNELS, HOST_ACTIONS, WORKLOADS } from "../../stress/options.js";
import { PATIENCE } from "../support/patience.js";
import { requireKvm } from "../support/require-kvm.js";

/** Of a busy host that interprets ring 0. */
const LIMIT_MS = 170_000;
const SECONDS = 3 * PATIENCE;
/** Seconds: nothing is really lost, so this only has to be shorter than the mocha limit. */
const PATIENT_SECONDS = 25 * PATIENCE;
/** What is lost on purpose is waited for in full. */
const PLANTED_PATIENT_SECONDS = 2 * PATIENCE;
const PLANTED_SECONDS = 10 * PATIENCE;

describe("stress()", function () {
  this.timeout(LIMIT_MS);

  before(function () {
    requireKvm(this, "stress.elf");
  });

  for (const channels of CHANNELS) {
    for (const vcpus of [1, 4]) {
      it(`loses nothing with ${vcpus} vCPUs and ${channels} event channels`, async () => {
        const report = await stress({ vcpus, channels, seconds: SECONDS, seed: 20, patienceSeconds: PATIENT_SECONDS });
        assert.deepEqual(report.failures, []);
        assert.equal(report.outcome, "passed");
        // One vCPU has nobody to start it again, or to stop it.
        const workloads = WORKLOADS.filter((name) => vcpus > 1 || (name !== "sipi" && name !== "power"));
        assert.deepEqual(
          report.workloads.filter(({ events, operations }) => events + operations > 0).map(({ name }) => name),
          workloads,
        );
        assert.deepEqual(
          report.hostActions.map(({ name }) => name),
          [...HOST_ACTIONS],
        );
      });
    }
  }

  it("loses nothing while the machine's threads are held up here and there", async () => {
    const report = await stress({ seconds: 2, seed: 20, perturb: 1, patienceSeconds: PATIENT_SECONDS });
    assert.deepEqual(report.failures, []);
    assert.equal(report.outcome, "passed");
    assert.match(report.command, /--perturb 1$/);
  });

  for (const [plant, workload, says] of [
    ["lost-event", "storm", /event \d+ on port \d+ was lost/],
    ["lost-event", "disk", /an answer came without an event from disk \d/],
    ["doubled-event", "storm", /event \d+ on port \d+ came twice/],
    ["wrong-byte", "disk", /sector \d+ of disk \d has wrong bytes/],
  ] as const) {
    it(`finds a ${plant} of ${workload}`, async () => {
      const report = await stress({
        workloads: [workload],
        hostActions: [],
        seconds: PLANTED_SECONDS,
        patienceSeconds: PLANTED_PATIENT_SECONDS,
        seed: 1,
        plant,
      });
      assert.equal(report.outcome, "failed");
      assert.match(report.failures[0]?.text ?? "", says);
      assert.match(report.command, new RegExp(`--plant ${plant}`));
    });
  }
});
