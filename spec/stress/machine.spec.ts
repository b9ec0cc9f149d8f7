import assert from "node:assert/strict";
import { resolveConfig } from "../../shared/config.js";
import { guestCommandLine, stressMachine } from "../../stress/machine.js";
import { planStress } from "../../stress/options.js";

describe("stressMachine()", () => {
  it("is a machine that can be made", () => {
    const config = resolveConfig(stressMachine(planStress({ vcpus: 4, transport: "userspace" }), "stress.elf", "/tmp"));
    assert.equal(config.vcpus.count, 4);
    assert.equal(config.accel.transport, "userspace");
    assert.equal(config.accel.fifo, "on");
  });
});

describe("guestCommandLine()", () => {
  it("tells the guest what the plan says", () => {
    const plan = planStress({ seed: 3, patienceSeconds: 1.5, workloads: ["storm", "bind"] });
    assert.equal(guestCommandLine(plan), "seed=3 patience=1500 only=storm,bind");
    assert.match(guestCommandLine({ ...plan, channels: "fifo", plant: "lost-event" }), / fifo plant=lost-event$/);
  });
});
