/**
 * `npm test`: everything, in the order in which a failure is cheapest. Ends with one line that counts all specs.
 *
 * Tiers: types and lint; pure and KVM specs; the testbed's own; end to end with Linux guests.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePackages } from "./system-packages.mjs";

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

/**
 * Tiers of specs: a name, what mocha is to run, and how often a file that fails is tried again, with a testbed of its own.
 * An emulated host now and then corrupts its own memory or its guest's: a guest hangs or starts over, or the host dies
 * and takes all its guests with it. What never passes has failed; every failure is shown like any other.
 */
const TIERS = [
  ["specs", ["dist/spec/!(e2e|testbed)/**/*.spec.js", "dist/spec/testbed/**/!(*.boot).spec.js", "dist/spec/*.spec.js"]],
  ["testbed", ["dist/spec/testbed/**/*.boot.spec.js"], 2],
  ["end to end", ["dist/spec/e2e/**/*.spec.js"], 2],
];

/** Milliseconds from the start on: later than that there is no time to try again. */
const LAST_TRY_MS = 36 * 60_000;

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit" });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** Counts by file; undefined when mocha did not get to its end, or failed with none of them to blame. */
async function runSpecs(patterns) {
  const results = join(tmpdir(), `xenolith-specs-${process.pid}.json`);
  const reporter = ["--reporter", join(root, "scripts", "spec-reporter.cjs"), "--reporter-option", `output=${results}`];
  const code = await run(process.execPath, [bin("mocha"), "--config", ".mocharc.json", ...reporter, ...patterns]);
  try {
    const files = JSON.parse(readFileSync(results, "utf8"));
    // Hooks of mocha's own that fail after the last spec are not among its failures.
    return code !== 0 && Object.values(files).every(({ failures }) => failures === 0) ? undefined : files;
  } catch {
    return undefined;
  } finally {
    rmSync(results, { force: true });
  }
}

function failingFiles(files) {
  return Object.keys(files).filter((file) => file !== "" && files[file].failures > 0);
}

// What machines without a kernel start with.
ensurePackages([
  { file: "/usr/share/seabios/bios-256k.bin", package: "seabios" },
  // And what their user-mode networks are.
  { program: "passt", package: "passt" },
]);

let passed = 0;
let failed = 0;
let skipped = 0;

async function check(name, [command, ...args]) {
  console.log(`\n== ${name}`);
  const code = await run(command, args);
  if (code === 0) passed++;
  else failed++;
}

await check("build", [process.execPath, "scripts/build.mjs"]);
// Side by side, as each uses one processor.
if (failed === 0) await Promise.all(CHECKS.map(([name, command]) => check(name, command)));

if (failed === 0 || process.env.CI !== "true") {
  for (const [name, patterns, moreTries = 0] of TIERS) {
    console.log(`\n== ${name}`);
    let files = await runSpecs(patterns);
    for (let tries = moreTries; tries > 0 && performance.now() < LAST_TRY_MS; tries--) {
      const broken = files === undefined ? [] : failingFiles(files);
      if (broken.length === 0) break;
      console.log(`\n== ${name}, once more: ${broken.map((file) => basename(file)).join(", ")}`);
      const again = await runSpecs(broken);
      files = again === undefined ? undefined : { ...files, ...again };
    }
    for (const { passes, failures, pending } of Object.values(
      files ?? { none: { passes: 0, failures: 1, pending: 0 } },
    )) {
      passed += passes;
      failed += failures;
      skipped += pending;
    }
  }
}

console.log(`\n${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exitCode = failed === 0 ? 0 : 1;
