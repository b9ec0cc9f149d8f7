import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { COMPILED } from "./support/project.js";

function run(tool: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(COMPILED, "spec", tool, "main.js"), ...args], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** Command lines that cannot be, and what is said of them. */
const REFUSED = [
  ["fuzz", ["--foo"], "fuzz: Unknown option '--foo'\n"],
  ["fuzz", ["--seconds", "ten"], 'fuzz: --seconds takes a whole number from 0 on, not "ten"\n'],
  ["fuzz", ["--inputs", "0"], 'fuzz: --inputs takes a whole number from 1 on, not "0"\n'],
  ["soak", ["all"], "soak: Unexpected argument 'all'\n"],
  ["soak", ["--resets", "-1"], "soak: Option '--resets' argument is ambiguous\n"],
  ["matrix", ["--suites", "woody"], "matrix: --suites: there is no woody; there are bookworm,trixie,sid\n"],
  [
    "matrix",
    ["--versions", "4.17"],
    "matrix: --versions: there is no 4.17; there are 0x40000,0x4000a,0x40011,0x40013\n",
  ],
  ["matrix", ["--tries", "2.5"], 'matrix: --tries takes a whole number from 1 on, not "2.5"\n'],
] as const;

describe("The project's own tools", function () {
  this.timeout(120_000);

  for (const [tool, args, stderr] of REFUSED) {
    it(`refuse with one line and exit code 2: ${tool} ${args.join(" ")}`, () => {
      assert.deepEqual(run(tool, ...args), { status: 2, stdout: "", stderr });
    });
  }

  for (const tool of ["fuzz", "soak", "matrix"]) {
    it(`tell what they take: ${tool}`, () => {
      const { status, stdout, stderr } = run(tool, "--help");
      assert.deepEqual([status, stderr, stdout.split("\n")[0]], [0, "", `usage: npm run ${tool} -- [options]`]);
    });
  }
});
