/** Tiers of specs: which there are, how mocha runs them, and what came of that, file by file. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { canOpenKvm } from "./host-kvm.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const HAS_KVM = canOpenKvm();

/**
 * In the order in which a failure is cheapest, those of a row side by side: the files, and how often one that fails is tried
 * again.
 *
 * `aside`: what they say comes at their end, as others speak meanwhile. `apart`: each file in a process of its own, with a testbed of its own, two at a time. `emulated`: that process runs in the
 * testbed, and a spec may take so many times as long as its limit of time says. An emulated host now and then
 * corrupts its own memory or its guest's: a guest hangs or starts over, or the host dies and takes all its guests with it.
 * The others run in one process, as most of them take no time; what waits for the clock there can be late on a host that is
 * shared. What never passes has failed.
 */
export const TIERS = [
  [
    { name: "specs", holds: (file) => !isEndToEnd(file) && !isTestbeds(file) && !needsKvm(file), moreTries: 1 },
    { name: "specs of guests", holds: (file) => HAS_KVM && needsKvm(file), aside: true, moreTries: 1 },
  ],
  [{ name: "testbed", holds: isTestbeds, apart: true, moreTries: 2 }],
  [
    {
      name: "specs of guests, in the testbed",
      holds: (file) => !HAS_KVM && SOON_EMULATED.has(file),
      apart: true,
      emulated: 10,
      moreTries: 2,
    },
  ],
  [{ name: "end to end", holds: isEndToEnd, apart: true, moreTries: 2 }],
];
const AT_ONCE = 2;
/** Seconds for a file that runs in the testbed; it takes a tenth of that. */
const EMULATED_SECONDS = 900;

/** Specs of guests for hosts without KVM: of the testbed's time, where each machine takes seconds, these take little. */
const SOON_EMULATED = new Set(["host/kvm", "next-kernel"].map((name) => `actors/${name}.kvm.spec.js`));

/** The first end-to-end specs: those of the main job, then the longest. Others follow. */
const E2E_FIRST = ["debian", "pc-boot", "pc-boot-trixie", "interrupts", "life", "unplug", "kexec", "kdump"];

/** Failures of mocha's own hooks, which belong to no file. */
const NO_FILE = "";
const NOTHING = { passes: 0, failures: [], pending: 0 };

function isEndToEnd(file) {
  return file.startsWith("e2e/");
}

function isTestbeds(file) {
  return file.endsWith(".boot.spec.js");
}

function needsKvm(file) {
  return file.endsWith(".kvm.spec.js");
}

/** Files of specs by their paths from the project's root; end to end, what matters most comes first. */
function specFiles(holds) {
  const folder = join("dist", "spec");
  const place = (file) => {
    const at = isEndToEnd(file) ? E2E_FIRST.indexOf(basename(file, ".spec.js")) : -1;
    return at < 0 ? E2E_FIRST.length : at;
  };
  return readdirSync(join(root, folder), { recursive: true })
    .filter((file) => file.endsWith(".spec.js") && holds(file))
    .sort()
    .sort((a, b) => place(a) - place(b))
    .map((file) => join(folder, file));
}

/** Files that no tier runs on this host. */
export function leftOut() {
  return specFiles((file) => !TIERS.flat().some(({ holds }) => holds(file)));
}

/**
 * Runs a tier: its files while `mayBegin()`, what fails again while `mayTryAgain()`. What came of each file in the end is
 * counted together; `failures` and `earlier`, of what was tried again, have a line for each; `late` files were not begun.
 */
export async function runTier(tier, { mayBegin, mayTryAgain }) {
  const files = specFiles(tier.holds);
  const { results, earlier, late } = tier.apart
    ? await runApart(tier, files, { mayBegin, mayTryAgain })
    : await runTogether(tier, files, mayTryAgain);
  const all = Object.values(results);
  const sum = (what) => all.reduce((total, result) => total + result[what], 0);
  const failures = all.flatMap((result) => result.failures.map(lineOf));
  return { passes: sum("passes"), pending: sum("pending"), failures, earlier: earlier.map(lineOf), late };
}

function lineOf({ title, reason }) {
  return `${title}: ${reason}`;
}

/** All files in one process; then, in another, those in which something failed. */
async function runTogether({ name, aside, moreTries }, files, mayTryAgain) {
  const earlier = [];
  if (files.length === 0) return { results: {}, earlier, late: [] };
  const run = async (some) => {
    const { results, output } = await runMocha(some, { stdio: aside === true ? "pipe" : "inherit" });
    if (aside === true) process.stdout.write(`\n== ${name}\n${output}`);
    return results;
  };
  let results = await run(files);
  for (let tries = moreTries; tries > 0 && mayTryAgain(); tries--) {
    const broken = Object.keys(results).filter((file) => file !== NO_FILE && results[file].failures.length > 0);
    if (broken.length === 0) break;
    announce(name, broken);
    earlier.push(...broken.flatMap((file) => results[file].failures));
    // A hook may have failed for what a spec left behind: it runs again as well
    results = { ...results, [NO_FILE]: NOTHING, ...(await run(broken)) };
  }
  return { results, earlier, late: [] };
}

/**
 * Each file in a process of its own. What fails there goes to the end of the queue: the specs that failed alone at first, where
 * no hook did, and the whole file if they fail again, as they may need what others do before them.
 */
async function runApart({ name, emulated, moreTries }, files, { mayBegin, mayTryAgain }) {
  const run = emulated === undefined ? runMocha : runEmulated;
  const waiting = files.map((file) => ({ file, tries: moreTries, only: [], before: NOTHING }));
  const results = {};
  const earlier = [];
  const late = [];
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const { file, tries, only, before } = job;
      if (results[file] === undefined && !mayBegin()) {
        late.push(file);
        continue;
      }
      const { results: found, output } = await run([file], { only, patience: emulated });
      process.stdout.write(output);
      const { [NO_FILE]: homeless = NOTHING, [file]: own = NOTHING } = found;
      const failures = [...own.failures, ...homeless.failures];
      const now = { passes: before.passes + own.passes, pending: before.pending + own.pending, failures };
      results[file] = now;
      if (failures.length === 0 || tries === 0 || !mayTryAgain()) continue;
      announce(name, [file]);
      earlier.push(...failures);
      const alone = only.length === 0 && failures.every(({ hook }) => !hook);
      const next = alone ? { only: failures.map(({ title }) => title), before: now } : { only: [], before: NOTHING };
      waiting.push({ file, tries: tries - 1, ...next });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { results, earlier, late };
}

function announce(tier, files) {
  console.log(`\n== ${tier}, once more: ${files.map((file) => basename(file)).join(", ")}`);
}

/** Counts and failures by file. A run that did not get to its end is a failure of no file. `only` has specs' whole titles. */
async function runMocha(files, { only = [], stdio = "pipe" } = {}) {
  return await runReporting((report) => [process.execPath, ...mochaArguments(files, report, only)], stdio);
}

/** The same in a testbed, where the project has the same layout. */
async function runEmulated(files, { only, patience }) {
  return await runReporting((report) => {
    const environment = ["env", "CI=true", `XENOLITH_SPEC_PATIENCE=${patience}`];
    const mocha = ["node", ...mochaArguments(files, join("/share", basename(report)), only)];
    const options = ["--share", dirname(report), "--timeout", `${EMULATED_SECONDS}`];
    return [process.execPath, "dist/spec/testbed/main.js", ...options, "--", ...environment, ...mocha];
  }, "pipe");
}

function mochaArguments(files, report, only) {
  const reporter = ["--reporter", "scripts/spec-reporter.cjs", "--reporter-option", `output=${report}`];
  const titles = only.map((title) => title.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  const chosen = only.length === 0 ? [] : ["--grep", `^(${titles.join("|")})$`];
  return ["node_modules/.bin/mocha", "--config", ".mocharc.json", ...reporter, ...chosen, ...files];
}

/** `commandFor` makes a command of the path where its report goes. */
async function runReporting(commandFor, stdio) {
  const folder = mkdtempSync(join(tmpdir(), "xenolith-specs-"));
  try {
    const report = join(folder, "report.json");
    const [program, ...args] = commandFor(report);
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", stdio, stdio] });
    const chunks = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => chunks.push(chunk));
    const code = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const results = readReport(report);
    const failed = Object.values(results).some(({ failures }) => failures.length > 0);
    if (code !== 0 && !failed)
      results[NO_FILE] = { ...NOTHING, failures: [{ title: "mocha", reason: `ended with ${code}`, hook: true }] };
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
