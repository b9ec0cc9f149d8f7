/** The host's side of a run, with a spec as the guest. */
import assert from "node:assert/strict";
import type { MachineEnd } from "../../actors/machine-end.js";
import { planStress } from "../../stress/options.js";
import type { StressOptions, StressProgress } from "../../stress/options.js";
import { StressRun } from "../../stress/stress-run.js";
import { FakeMachine } from "./fake-machine.js";

const OPTIONS: StressOptions = { seed: 1, hostActions: [], seconds: 3600, workloads: ["storm"], patienceSeconds: 0.01 };

interface Rest {
  readonly options?: StressOptions;
  /** What it says when it is asked to end. */
  readonly last?: readonly string[];
  readonly end?: MachineEnd;
}

/** A guest that says `lines` after its begin. */
function run(lines: readonly string[], { options = {}, last = ["end passed"], end = { kind: "poweroff" } }: Rest = {}) {
  const machine = new FakeMachine();
  machine.onStart = () => {
    for (const line of ["begin cpus=2 channels=2-level", ...lines]) machine.say(line);
  };
  machine.onInput = () => {
    for (const line of last) machine.say(line);
    machine.end(end);
  };
  const merged = { ...OPTIONS, ...options, folder: "." };
  return new StressRun(planStress(merged), merged, machine).run();
}

function outcome({ outcome: result, failures }: Awaited<ReturnType<typeof run>>) {
  return { outcome: result, failures: failures.map(({ from, text }) => `${from}: ${text}`) };
}

describe("a stress run", () => {
  it("passes when the guest has done so many events and says that it passed", async () => {
    const progress: StressProgress[] = [];
    const options = { events: 20, onProgress: (now: StressProgress) => progress.push(now) };
    const report = await run(["beat 500 storm=21/0/9"], { options });
    assert.deepEqual(outcome(report), { outcome: "passed", failures: [] });
    assert.deepEqual([report.events, report.seed, report.vcpus, report.transport], [21, 1, 2, "userspace"]);
    assert.deepEqual(progress[0]?.workloads, [{ name: "storm", events: 21, operations: 0, longestUs: 9 }]);
  });

  it("passes when its time is over", async () => {
    assert.equal((await run([], { options: { seconds: 0.01 } })).outcome, "passed");
  });

  it("fails with what the guest says has failed", async () => {
    const report = await run(["fail storm event 3 was lost"], { last: ["end failed"] });
    assert.deepEqual(outcome(report), { outcome: "failed", failures: ["storm: event 3 was lost"] });
  });

  it("fails when the guest starts over although nobody reset it", async () => {
    const report = await run(["begin cpus=2 channels=2-level"]);
    assert.deepEqual(outcome(report), { outcome: "failed", failures: ["guest: the guest started over by itself"] });
  });

  it("fails when the guest ends without a word", async () => {
    const report = await run([], { options: { seconds: 0.01 }, last: [] });
    assert.equal(report.outcome, "failed");
    assert.match(report.failures[0]?.text ?? "", /did not say that it passed/);
  });

  it("tells a crash, with the report", async () => {
    const report = await run([], { options: { seconds: 0.01 }, last: [], end: { kind: "crash", report: "rip 0\n" } });
    assert.deepEqual(outcome(report), { outcome: "crashed", failures: ["machine: the guest crashed\nrip 0"] });
  });

  it("ends early when the caller wants it", async () => {
    const report = await run([], { options: { signal: AbortSignal.timeout(5) } });
    assert.equal(report.outcome, "interrupted");
  });
});
