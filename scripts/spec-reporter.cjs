/**
 * mocha's spec reporter, which also writes the run's counts, file by file, to a file for scripts/test.mjs. Of failures it
 * writes the title, the first line of the reason, and whether it is a hook's. A file's path is as from the working directory.
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
      of(spec).failures.push({ title: spec.fullTitle(), reason, hook: spec.type === "hook" });
    });
    runner.once("end", () => {
      writeFileSync(options.reporterOption.output, JSON.stringify(files));
    });
  }
}
module.exports = SpecWithCounts;
