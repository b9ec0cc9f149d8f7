/**
 * `npm run matrix`: Debian's kernels, each with 1, 2 and 4 vCPUs on both transports at each chosen version of Xen,
 * one guest after the other in a testbed; a row of a Markdown table for each.
 *
 * A guest that goes wrong runs again in a fresh testbed, as an emulated host now and then
 * corrupts memory; what was wrong is told on the standard error. Exit code 1 when a guest never came through.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refuse, toolOptions, wholeNumber } from "../support/tool-options.js";
import { TestbedError } from "../testbed/errors.js";
import { guestKernel } from "../testbed/kernels.js";
import { Testbed } from "../testbed/testbed.js";
import { type Combination, runGuest, SIZES, SUITES, TRANSPORTS, type Verdict, VERSIONS } from "./guest.js";

const DEFAULT_VERSION = "0x4000a";
const TOOL = {
  name: "matrix",
  usage: `usage: npm run matrix -- [options]

Debian's kernels as guests in the testbed, a row of a Markdown table for each. Exit code 1 when a guest never came through.

  --suites LIST      of ${SUITES.join()} (default: all)
  --smp LIST         of ${SIZES.join()} (default: all)
  --transports LIST  of ${TRANSPORTS.join()} (default: all)
  --versions LIST    of ${VERSIONS.join()}, Xen's (default: ${DEFAULT_VERSION})
  --tries N          how often a guest runs that goes wrong (default 3)
  --help             this text
`,
};
const values = toolOptions(TOOL, {
  suites: SUITES.join(),
  smp: SIZES.join(),
  transports: TRANSPORTS.join(),
  versions: DEFAULT_VERSION,
  tries: "3",
});
const suites = chosen("suites", values.suites, SUITES);
const sizes = chosen("smp", values.smp, SIZES);
const transports = chosen("transports", values.transports, TRANSPORTS);
const versions = chosen("versions", values.versions, VERSIONS);
const tries = wholeNumber(TOOL, "tries", values.tries, 1);

const log = (line: string): void => {
  console.error(line);
};
let testbed: Testbed | undefined;
const folder = await mkdtemp(join(tmpdir(), "xenolith-matrix-"));

/** The chosen combinations, kernel by kernel. */
function combinations(): Combination[] {
  return suites.flatMap((suite) =>
    sizes.flatMap((smp) =>
      transports.flatMap((transport) => versions.map((version) => ({ suite, smp, transport, version }))),
    ),
  );
}

/** Those of `all` that the comma-separated list names, in the order of `all`. */
function chosen<T extends string | number>(option: string, list: string, all: readonly T[]): readonly T[] {
  const names = list.split(",");
  const strange = names.find((name) => !all.some((one) => String(one) === name));
  if (strange !== undefined) refuse(TOOL, `--${option}: there is no ${strange}; there are ${all.join()}`);
  return all.filter((one) => names.includes(String(one)));
}

async function attempt(combination: Combination): Promise<Verdict> {
  const kernel = await guestKernel(combination.suite, log);
  const started = performance.now();
  try {
    testbed ??= await Testbed.start({ log });
    return await runGuest(testbed, kernel, combination, join(folder, "disk.img"));
  } catch (cause) {
    if (!(cause instanceof TestbedError)) throw cause;
    return { secondsToInit: undefined, seconds: (performance.now() - started) / 1000, problems: [cause.message] };
  }
}

async function leaveTestbed(): Promise<void> {
  await testbed?.[Symbol.asyncDispose]();
  testbed = undefined;
}

/** Prints the combination's row; true when it came through in the end. */
async function show(combination: Combination): Promise<boolean> {
  const { suite, smp, transport, version } = combination;
  const kernel = await guestKernel(suite, log);
  for (let round = 1; round <= tries; round += 1) {
    const { secondsToInit, seconds, problems } = await attempt(combination);
    const well = problems.length === 0;
    for (const problem of problems) {
      log(`${suite}, ${smp} vCPUs, ${transport}, Xen ${version}, try ${round}: ${problem}`);
    }
    if (!well) await leaveTestbed();
    if (!well && round < tries) continue;
    const verdict = well ? (round === 1 ? "yes" : `yes, in try ${round}`) : "no";
    console.log(
      `| ${suite} | ${kernel.version} | ${smp} | ${transport} | ${version} | ${verdict} | ${secondsToInit?.toFixed(1) ?? "–"} | ${seconds.toFixed(1)} |`,
    );
    return well;
  }
  return false;
}

console.log("| suite | kernel | vCPUs | transport | Xen | all well | seconds to init | to power-off |");
console.log("|---|---|---|---|---|---|---|---|");
try {
  for (const combination of combinations()) {
    if (!(await show(combination))) process.exitCode = 1;
  }
} finally {
  await leaveTestbed();
  await rm(folder, { recursive: true, force: true });
}
