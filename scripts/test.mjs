/**
 * `npm test`: everything, in the order in which a failure is cheapest. Ends with one line that counts all specs.
 *
 * Tiers: types and lint; pure and KVM specs; the testbed's own; end to end with Linux guests.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bin = (name) => join(root, "node_modules", ".bin", name);

/** Checks without specs: a name and the command. */
const CHECKS = [
  ["lint", [bin("eslint"), "--max-warnings=0", "."]],
  ["format", [bin("prettier"), "--check", "--log-level=warn", "."]],
  [
    "arrows",
    [
      bin("depcruise"),
      "--config",
      ".dependency-cruiser.cjs",
      "actors",
      "devices",
      "xen",
      "shared",
      "cli",
      "spec",
      "index.ts",
      "prewarm.ts",
    ],
  ],
];

/** Tiers of specs: a name and what mocha is to run. */
const TIERS = [
  ["specs", ["dist/spec/!(e2e|testbed)/**/*.spec.js", "dist/spec/testbed/**/!(*.boot).spec.js", "dist/spec/*.spec.js"]],
  ["testbed", ["dist/spec/testbed/**/*.boot.spec.js"]],
  ["end to end", ["dist/spec/e2e/**/*.spec.js"]],
];

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit" });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

let passed = 0;
let failed = 0;
let skipped = 0;

for (const [name, [command, ...args]] of [["build", [process.execPath, "scripts/build.mjs"]], ...CHECKS]) {
  console.log(`\n== ${name}`);
  const code = await run(command, args);
  if (code === 0) passed++;
  else failed++;
  if (code !== 0 && name === "build") break;
}

if (failed === 0 || process.env.CI !== "true") {
  for (const [name, patterns] of TIERS) {
    console.log(`\n== ${name}`);
    const results = join(tmpdir(), `xenolith-specs-${process.pid}.json`);
    const reporter = [
      "--reporter",
      join(root, "scripts", "spec-reporter.cjs"),
      "--reporter-option",
      `output=${results}`,
    ];
    const code = await run(process.execPath, [bin("mocha"), "--config", ".mocharc.json", ...reporter, ...patterns]);
    try {
      const stats = JSON.parse(readFileSync(results, "utf8"));
      passed += stats.passes;
      failed += stats.failures;
      skipped += stats.pending;
      // Hooks of mocha's own that fail after the last spec are not among its failures.
      if (code !== 0 && stats.failures === 0) failed++;
    } catch {
      failed++;
    }
    rmSync(results, { force: true });
  }
}

console.log(`\n${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exitCode = failed === 0 ? 0 : 1;
