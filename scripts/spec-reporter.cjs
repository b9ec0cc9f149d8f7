/**
 * mocha's spec reporter, which also writes the run's counts, file by file, to a file for scripts/test.mjs. Of failures it
 * writes a line each. A file's path is as from the working directory.
 */
const { writeFileSync } = require("node:fs");
const { relative } = require("node:path");
const { reporters } = require("mocha");

class SpecWithCounts extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const files = {};
    const of = ({ file }) =>
      (files[file === undefined ? "" : relative(".", file)] ??= { passes: 0, failures: [], pending: 0 });
    runner.on("pass", (spec) => of(spec).passes++);
    runner.on("pending", (spec) => of(spec).pending++);
    runner.on("fail", (spec, error) => {
      const [reason] = String(error?.message ?? error).split("\n", 1);
      of(spec).failures.push(`${spec.fullTitle()}: ${reason}`);
    });
    runner.once("end", () => {
      writeFileSync(options.reporterOption.output, JSON.stringify(files));
    });
  }
}
module.exports = SpecWithCounts;
