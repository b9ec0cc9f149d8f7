/** Tiers of specs: which there are, how mocha runs them, and what came of that, file by file. */
import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const HAS_KVM = hasKvm();

/**
 * In the order in which a failure is cheapest: the files, and how often one that fails is tried again.
 *
 * `apart`: each file in a process of its own, with a testbed of its own, two at a time. `emulated`: that process runs in the
 * testbed, and a spec may take so many times as long as its limit of time says. An emulated host now and then
 * corrupts its own memory or its guest's: a guest hangs or starts over, or the host dies and takes all its guests with it.
 * The others run in one process, as most of them take no time; what waits for the clock there can be late on a host that is
 * shared. What never passes has failed.
 */
export const TIERS = [
  {
    name: "specs",
    holds: (file) => !file.startsWith("e2e/") && !isTestbeds(file) && (HAS_KVM || !needsKvm(file)),
    moreTries: 1,
  },
  { name: "testbed", holds: isTestbeds, apart: true, moreTries: 2 },
  {
    name: "specs of guests, in the testbed",
    holds: (file) => !HAS_KVM && SOON_EMULATED.has(file),
    apart: true,
    emulated: 10,
    moreTries: 2,
  },
  { name: "end to end", holds: (file) => file.startsWith("e2e/"), apart: true, moreTries: 2 },
];
const AT_ONCE = 2;
/** Seconds for a file that runs in the testbed; it takes a tenth of that. */
const EMULATED_SECONDS = 900;

/** Specs of guests for hosts without KVM: of the testbed's time, where each machine takes seconds, these take little. */
const SOON_EMULATED = new Set(
  ["host/kvm", "next-kernel", "suspend", "trace"].map((name) => `actors/${name}.kvm.spec.js`),
);

/** Failures of mocha's own hooks, which belong to no file. */
const NO_FILE = "";
const NOTHING = { passes: 0, failures: [], pending: 0 };

function isTestbeds(file) {
  return file.endsWith(".boot.spec.js");
}

function needsKvm(file) {
  return file.endsWith(".kvm.spec.js");
}

function hasKvm() {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Files of specs by their paths from the project's root. */
function specFiles(holds) {
  const folder = join("dist", "spec");
  return readdirSync(join(root, folder), { recursive: true })
    .filter((file) => file.endsWith(".spec.js") && holds(file))
    .sort()
    .map((file) => join(folder, file));
}

/** Files that no tier runs on this host. */
export function leftOut() {
  return specFiles((file) => !TIERS.some(({ holds }) => holds(file)));
}

/**
 * Runs a tier, and what fails in it again while `mayTryAgain()`. What came of each file in the end is counted together;
 * `earlier` has a line for each failure that was tried again.
 */
export async function runTier(tier, mayTryAgain) {
  const runFile = tier.emulated === undefined ? runMocha : (files, output) => runEmulated(files, output, tier.emulated);
  const runFiles = tier.apart ? (files) => runApart(files, runFile) : runTogether;
  const files = specFiles(tier.holds);
  if (files.length === 0) return { passes: 0, pending: 0, failures: [], earlier: [] };
  let results = await runFiles(files);
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
  return (await runMocha(files, "inherit")).results;
}

async function runApart(files, run) {
  const waiting = [...files];
  const all = {};
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const { results, output } = await run([file], "pipe");
      process.stdout.write(output);
      const { [NO_FILE]: homeless = NOTHING, [file]: own = NOTHING } = results;
      all[file] = { ...own, failures: [...own.failures, ...homeless.failures] };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return all;
}

/** Counts by file, and a line for each failure. A run that did not get to its end is a failure of no file. */
async function runMocha(files, output) {
  return await runReporting((report) => [process.execPath, ...mochaArguments(files, report)], output);
}

/** The same in a testbed, where the project has the same layout. */
async function runEmulated(files, output, patience) {
  return await runReporting((report) => {
    const environment = ["env", "CI=true", `XENOLITH_SPEC_PATIENCE=${patience}`];
    const mocha = ["node", ...mochaArguments(files, join("/share", basename(report)))];
    const options = ["--share", dirname(report), "--timeout", `${EMULATED_SECONDS}`];
    return [process.execPath, "dist/spec/testbed/main.js", ...options, "--", ...environment, ...mocha];
  }, output);
}

function mochaArguments(files, report) {
  const reporter = ["--reporter", "scripts/spec-reporter.cjs", "--reporter-option", `output=${report}`];
  return ["node_modules/.bin/mocha", "--config", ".mocharc.json", ...reporter, ...files];
}

/** `commandFor` makes a command of the path where its report goes. */
async function runReporting(commandFor, output) {
  const folder = mkdtempSync(join(tmpdir(), "xenolith-specs-"));
  try {
    const report = join(folder, "report.json");
    const [program, ...args] = commandFor(report);
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", output, output] });
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
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(report) {
  try {
    return JSON.parse(readFileSync(report, "utf8"));
  } catch {
    return {};
  }
}
