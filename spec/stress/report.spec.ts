import assert from "node:assert/strict";
import { planStress } from "../../stress/options.js";
import { repeatingCommand } from "../../stress/report.js";

describe("repeatingCommand()", () => {
  it("has every choice, with the transport that was taken", () => {
    const plan = planStress({
      seed: 5,
      workloads: ["storm", "poll"],
      hostActions: [],
      plant: "lost-event",
      events: 9,
      perturb: 3,
    });
    assert.equal(
      repeatingCommand(plan, "userspace"),
      "npx xenolith stress --smp 2 --transport userspace --channels 2-level --events 9 --seed 5 --only storm,poll " +
        "--host none --patience 20 --plant lost-event --perturb 3",
    );
  });
});
