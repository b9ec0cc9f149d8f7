/** mocha's spec reporter, which also writes the run's counts, file by file, to a file for scripts/test.mjs. */
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

class SpecWithCounts extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const files = {};
    const count = (event, what) => {
      runner.on(event, ({ file = "" }) => {
        files[file] ??= { passes: 0, failures: 0, pending: 0 };
        files[file][what]++;
      });
    };
    count("pass", "passes");
    count("fail", "failures");
    count("pending", "pending");
    runner.once("end", () => {
      writeFileSync(options.reporterOption.output, JSON.stringify(files));
    });
  }
}
module.exports = SpecWithCounts;
