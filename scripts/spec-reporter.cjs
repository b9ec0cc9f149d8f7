/** mocha's spec reporter, which also writes the run's counts to a file for scripts/test.mjs. */
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

class SpecWithCounts extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      writeFileSync(options.reporterOption.output, JSON.stringify({ passes, failures, pending }));
    });
  }
}
module.exports = SpecWithCounts;
