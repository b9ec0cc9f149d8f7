/** Tiers of specs: which there are, how mocha runs them, and what came of that, file by file. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * In the order in which a failure is cheapest: the files, and how often one that fails is tried again.
 *
 * `apart`: each file in a process of its own, with a testbed of its own, two at a time. An emulated host now and then
 * corrupts its own memory or its guest's: a guest hangs or starts over, or the host dies and takes all its guests with it.
 * The others run in one process, as most of them take no time; what waits for the clock there can be late on a host that is
 * shared. What never passes has failed.
 */
export const TIERS = [
  { name: "specs", holds: (file) => !file.startsWith("e2e/") && !isTestbeds(file), apart: false, moreTries: 1 },
  { name: "testbed", holds: isTestbeds, apart: true, moreTries: 2 },
  { name: "end to end", holds: (file) => file.startsWith("e2e/"), apart: true, moreTries: 2 },
];
const AT_ONCE = 2;

/** Failures of mocha's own hooks, which belong to no file. */
const NO_FILE = "";
const NOTHING = { passes: 0, failures: [], pending: 0 };

function isTestbeds(file) {
  return file.endsWith(".boot.spec.js");
}

function specFiles({ holds }) {
  const folder = join(root, "dist", "spec");
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(".spec.js") && holds(file))
    .sort()
    .map((file) => join(folder, file));
}

/**
 * Runs a tier, and what fails in it again while `mayTryAgain()`. What came of each file in the end is counted together;
 * `earlier` has a line for each failure that was tried again.
 */
export async function runTier(tier, mayTryAgain) {
  const runFiles = tier.apart ? runApart : runTogether;
  let results = await runFiles(specFiles(tier));
  const earlier = [];
  for (let tries = tier.moreTries; tries > 0 && mayTryAgain(); tries--) {
    const broken = Object.keys(results).filter((file) => file !== NO_FILE && results[file].failures.length > 0);
    if (broken.length === 0) break;
    console.log(`\n== ${tier.name}, once more: ${broken.map((file) => basename(file)).join(", ")}`);
    earlier.push(...broken.flatMap((file) => results[file].failures));
    // A hook may have failed for what a spec left behind: it runs again as well
    results = { ...results, [NO_FILE]: NOTHING, ...(await runFiles(broken)) };
  }
  const all = Object.values(results);
  const sum = (what) => all.reduce((total, result) => total + result[what], 0);
  return { passes: sum("passes"), pending: sum("pending"), failures: all.flatMap(({ failures }) => failures), earlier };
}

async function runTogether(files) {
  return (await runMocha(files)).results;
}

async function runApart(files) {
  const waiting = [...files];
  const all = {};
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const { results, output } = await runMocha([file], "pipe");
      process.stdout.write(output);
      const { [NO_FILE]: homeless = NOTHING, [file]: own = NOTHING } = results;
      all[file] = { ...own, failures: [...own.failures, ...homeless.failures] };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return all;
}

/** Counts by file, and a line for each failure. A run that did not get to its end is a failure of no file. */
async function runMocha(files, output = "inherit") {
  const report = join(tmpdir(), `xenolith-specs-${process.pid}-${basename(files[0] ?? "none")}.json`);
  const mocha = join(root, "node_modules", ".bin", "mocha");
  const reporter = ["--reporter", join(root, "scripts", "spec-reporter.cjs"), "--reporter-option", `output=${report}`];
  const child = spawn(process.execPath, [mocha, "--config", ".mocharc.json", ...reporter, ...files], {
    cwd: root,
    stdio: ["ignore", output, output],
  });
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => chunks.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const results = readReport(report);
  const failed = Object.values(results).some(({ failures }) => failures.length > 0);
  if (code !== 0 && !failed) results[NO_FILE] = { ...NOTHING, failures: [`mocha ended with ${code}`] };
  return { results, output: Buffer.concat(chunks) };
}

function readReport(report) {
  try {
    return JSON.parse(readFileSync(report, "utf8"));
  } catch {
    return {};
  } finally {
    rmSync(report, { force: true });
  }
}
