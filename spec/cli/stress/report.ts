/** A report for specs. */
import type { StressReport } from "../../../index.js";

export const PASSED: StressReport = {
  outcome: "passed",
  vcpus: 2,
  transport: "userspace",
  channels: "fifo",
  seed: 7,
  seconds: 2,
  resets: 1,
  events: 1500,
  workloads: [
    { name: "storm", events: 1000, operations: 0, longestUs: 1500 },
    { name: "poll", events: 500, operations: 20, longestUs: 40 },
  ],
  hostActions: [{ name: "pause", count: 3 }],
  failures: [],
  command: "npx xenolith stress --seed 7",
};
