import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HOST_ACTIONS, WORKLOADS, planStress } from "../../stress/options.js";
import { PROJECT } from "../support/project.js";

describe("planStress()", () => {
  it("has a default for everything", () => {
    const { seed, ...plan } = planStress({});
    assert.ok(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32);
    assert.deepEqual(plan, {
      vcpus: 2,
      transport: "auto",
      channels: "2-level",
      seconds: 10,
      workloads: WORKLOADS,
      hostActions: HOST_ACTIONS,
      patienceSeconds: 20,
    });
  });

  it("runs without end when a number of events is given", () => {
    assert.equal(planStress({ events: 1000 }).seconds, Infinity);
    assert.equal(planStress({ events: 1000, seconds: 5 }).seconds, 5);
  });

  const refused = [
    [{ seconds: 0 }, "seconds: must be more than 0, not 0"],
    [{ events: -1 }, "events: must be more than 0, not -1"],
    [{ patienceSeconds: NaN }, "patienceSeconds: must be more than 0, not NaN"],
    [{ seed: 2 ** 32 }, "seed: must be a whole number from 0 to 4294967295, not 4294967296"],
    [{ seed: 0.5 }, "seed: must be a whole number from 0 to 4294967295, not 0.5"],
    [{ perturb: -1 }, "perturb: must be a whole number from 0 to 4294967295, not -1"],
    [{ workloads: [] }, "workloads: must name one at least"],
  ] as const;
  for (const [options, message] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => planStress(options), { code: "CONFIG", message });
    });
  }
});

describe("WORKLOADS", () => {
  it("are those of the guest", () => {
    const source = readFileSync(join(PROJECT, "guests", "stress", "main.c"), "utf8");
    const table = /const workloads\[\] = \{([^}]*)\}/.exec(source)?.[1] ?? "";
    assert.deepEqual(
      [...table.matchAll(/&(\w+)/g)].map(([, name]) => name),
      [...WORKLOADS],
    );
  });
});
