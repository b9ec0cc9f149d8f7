/**
 * `npm test`: everything, in the order in which a failure is cheapest. Ends with what failed, a line each, and one line that
 * counts all specs.
 */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { leftOut, runTier, TIERS } from "./spec-tiers.mjs";
import { ensurePackages } from "./system-packages.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Checks without specs: names of package.json's scripts. */
const CHECKS = ["lint", "format", "arrows"];

/** Milliseconds from the start on: in CI, no file of the last tiers begins later, and nothing is tried again. */
const LAST_BEGIN_MS = 29 * 60_000;
const LAST_TRY_MS = 31 * 60_000;
/** How long random inputs are tried in CI, in seconds. */
const FUZZ_SECONDS = 600;

ensurePackages([
  // What machines without a kernel start with
  { file: "/usr/share/seabios/bios-256k.bin", package: "seabios" },
  // And what their user-mode networks are
  { program: "passt", package: "passt" },
  // QEMU's own user-mode network, a peer of ours
  { program: "qemu-system-x86_64", package: "qemu-system-x86" },
]);

let passed = 0;
let failed = 0;
let skipped = 0;
/** A line for each failure, also for those that did not happen again: the output before is long. */
const troubles = [];

async function check(name) {
  console.log(`\n== ${name}`);
  await count(name, spawn("npm", ["run", "--silent", name], { cwd: root, stdio: "inherit" }));
}

/**
 * Random inputs, from another seed each time, beside the specs: at first those keep little more than one processor busy. What
 * it has to say comes at its end, in one piece.
 */
async function fuzz() {
  const args = ["-n", "10", "npm", "run", "--silent", "fuzz", "--", "--seconds", String(FUZZ_SECONDS)];
  const child = spawn("nice", args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => chunks.push(chunk));
  await count("fuzz", child);
  process.stdout.write(`\n== fuzz\n${Buffer.concat(chunks)}`);
}

async function runOne(tier) {
  console.log(`\n== ${tier.name}`);
  const { passes, failures, pending, earlier, late } = await runTier(tier, {
    mayBegin: () => process.env.CI !== "true" || performance.now() < LAST_BEGIN_MS,
    mayTryAgain: () => performance.now() < LAST_TRY_MS,
  });
  passed += passes;
  failed += failures.length;
  skipped += pending + late.length;
  troubles.push(...earlier.map((failure) => `${tier.name}, and then tried again: ${failure}`));
  troubles.push(...failures.map((failure) => `${tier.name}: ${failure}`));
  troubles.push(...late.map((file) => `${tier.name}: ${file}: skipped, as the others have taken all of the time`));
}

async function count(name, child) {
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) passed++;
  else {
    failed++;
    troubles.push(name);
  }
}

await check("build");
// Side by side, as each uses one processor.
if (failed === 0) await Promise.all(CHECKS.map((name) => check(name)));

const fuzzing = failed === 0 && process.env.CI === "true" ? fuzz() : undefined;
if (failed === 0 || process.env.CI !== "true") {
  for (const row of TIERS) await Promise.all(row.map(runOne));
  const absent = leftOut();
  skipped += absent.length;
  troubles.push(...absent.map((file) => `${file}: skipped, /dev/kvm cannot be opened for reading and writing`));
}

await fuzzing;

if (troubles.length > 0) console.log(`\n== What failed or was skipped\n${troubles.join("\n")}`);
if (skipped > 0) console.log(`\n${skipped} skipped`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
