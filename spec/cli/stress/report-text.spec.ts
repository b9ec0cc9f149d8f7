import assert from "node:assert/strict";
import { progressText, reportText } from "../../../cli/stress/report-text.js";
import { PASSED } from "./report.js";

describe("reportText()", () => {
  it("has a row for each workload, the host's actions, and the command that repeats it", () => {
    assert.equal(
      reportText(PASSED),
      [
        "2 vCPUs, userspace transport, fifo event channels",
        "            events     events/s   operations   longest ms",
        "storm        1,000          500            0          1.5",
        "poll           500          250           20          0.0",
        "total        1,500          750           20          1.5",
        "host: pause 3",
        "passed after 2.0 s; the same again: npx xenolith stress --seed 7",
        "",
      ].join("\n"),
    );
  });

  it("has each failure, without the guest's control characters", () => {
    const failures = [{ from: "storm", text: "lost \x1b[2J\nrip 0" }];
    assert.match(reportText({ ...PASSED, outcome: "failed", failures }), /^FAILED: storm: lost \\x1b\[2J\n {2}rip 0$/m);
  });
});

describe("progressText()", () => {
  it("is one line", () => {
    assert.equal(progressText({ ...PASSED, seconds: 1.25 }), "1.3 s: 1,500 events, 20 operations; host: pause 3");
  });
});
