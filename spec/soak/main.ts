/** `npm run soak`: the long form. Exit code 1 when something was left behind or went wrong. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { whyNoGuests } from "../support/require-kvm.js";
import { requireHost, toolOptions, wholeNumber } from "../support/tool-options.js";
import { soakMachines, soakPauses, soakResets } from "./soak.js";
import type { SoakHost, SoakResult } from "./soak.js";

const TOOL = {
  name: "soak",
  usage: `usage: npm run soak -- [options]

Thousands of machines, resets and pauses in one process. Exit code 1 when something is left behind or goes wrong.

  --machines N   machines made, run and disposed of (default 2000); 0 leaves them out
  --at-once N    so many of them at a time (default 8)
  --resets N     of one machine, in a row (default 200); 0 leaves them out
  --pauses N     of one machine under load (default 10000); 0 leaves them out
  --help         this text
`,
};
const values = toolOptions(TOOL, { machines: "2000", "at-once": "8", resets: "200", pauses: "10000" });
const machines = wholeNumber(TOOL, "machines", values.machines);
const atOnce = wholeNumber(TOOL, "at-once", values["at-once"], 1);
const resets = wholeNumber(TOOL, "resets", values.resets);
const pauses = wholeNumber(TOOL, "pauses", values.pauses);
requireHost(TOOL, whyNoGuests("hello.elf", "life.elf"));
/** A line of progress for each part of so many. */
const PARTS = 20;

const folder = mkdtempSync(join(tmpdir(), "xenolith-soak-"));
process.env["TMPDIR"] = folder;
const host: SoakHost = {
  allowedKib: 48 * 1024,
  file: (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  },
  progress: (name, done, total) => {
    if (done % Math.ceil(total / PARTS) === 0) console.log(`${name}: ${done} of ${total}`);
  },
};

function show({ name, done, seconds, before, after, linesEach, problems }: SoakResult): void {
  console.log(`${name}: ${done}, ${seconds.toFixed(0)} s`);
  for (const kind of ["descriptors", "threads", "mappings", "files", "residentKib"] as const) {
    console.log(`  ${kind}: ${before[kind]} -> ${after[kind]}`);
  }
  console.log(`  log lines each: ${linesEach}`);
  for (const problem of problems) console.log(`  PROBLEM: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

try {
  if (machines > 0) show(await soakMachines(host, machines, atOnce));
  if (resets > 0) show(await soakResets(host, resets));
  if (pauses > 0) show(await soakPauses(host, pauses));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
