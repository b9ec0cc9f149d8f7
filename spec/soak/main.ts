/**
 * `npm run soak`: the long form. `--machines N`, `--at-once N`, `--resets N`, `--pauses N` change the numbers; 0 leaves
 * one out. Exit code 1 when something was left behind or went wrong.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { keptByThread } from "./binding.js";
import { heldNow } from "./holdings.js";
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
/** So many threads that do nothing but load the binding. */
const BARE_THREADS = 480;
/** A line of progress for each part of so many. */
const PARTS = 20;

const folder = mkdtempSync(join(tmpdir(), "xenolith-soak-"));
process.env["TMPDIR"] = folder;
const host: Omit<SoakHost, "allowedKibOfThread"> = {
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
  if (machines > 0) {
    const allowedKibOfThread = await keptByThread(BARE_THREADS, async () => (await heldNow()).residentKib);
    console.log(`a thread that only loads the binding leaves ${allowedKibOfThread.toFixed(1)} KiB`);
    show(await soakMachines({ ...host, allowedKibOfThread }, machines, Number(values["at-once"])));
  }
  if (resets > 0) show(await soakResets({ ...host, allowedKibOfThread: 0 }, resets));
  if (pauses > 0) show(await soakPauses({ ...host, allowedKibOfThread: 0 }, pauses));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
