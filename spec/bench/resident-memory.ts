/** Resident memory of a process beyond its guest's RAM, of its /proc/PID/smaps, proc_pid_smaps(5). */
import { readFile } from "node:fs/promises";

const KIB = 1024;
/** A memory is settled when it changed by less than this part of itself over a pause. */
const SETTLED = 0.01;
const PAUSE_MS = 1000;
const MAX_PAUSES = 30;

/**
 * Bytes. A mapping as large as guest RAM is guest RAM; others of that size are address space that a runtime reserves, of
 * which nothing is resident.
 */
export function overheadOf(smaps: string, ramBytes: number): number {
  let total = 0;
  let size = 0;
  for (const [, field, kib] of smaps.matchAll(/^(Size|Rss): +(\d+) kB$/gm)) {
    const bytes = Number(kib) * KIB;
    if (field === "Size") size = bytes;
    else if (size < ramBytes) total += bytes;
  }
  return total;
}

/** The same of a running process, once it grows no more. */
export async function settledOverhead(pid: number, ramBytes: number): Promise<number> {
  const sample = async (): Promise<number> => overheadOf(await readFile(`/proc/${pid}/smaps`, "utf8"), ramBytes);
  let before = await sample();
  for (let pauses = 0; pauses < MAX_PAUSES; pauses++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const now = await sample();
    if (Math.abs(now - before) < before * SETTLED) return now;
    before = now;
  }
  return before;
}
