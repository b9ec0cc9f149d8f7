/**
 * `npm run soak`: the long form. `--machines N`, `--at-once N`, `--resets N`, `--pauses N` change the numbers; 0 leaves
 * one out. Exit code 1 when something was left behind or went wrong.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { soakMachines, soakPauses, soakResets } from "./soak.js";
import type { SoakHost, SoakResult } from "./soak.js";

const { values } = parseArgs({
  options: {
    machines: { type: "string", default: "2000" },
    "at-once": { type: "string", default: "8" },
    resets: { type: "string", default: "200" },
    pauses: { type: "string", default: "10000" },
  },
});
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
  const [machines, resets, pauses] = [values.machines, values.resets, values.pauses].map(Number) as [
    number,
    number,
    number,
  ];
  if (machines > 0) show(await soakMachines(host, machines, Number(values["at-once"])));
  if (resets > 0) show(await soakResets(host, resets));
  if (pauses > 0) show(await soakPauses(host, pauses));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
