/** What this process holds of the host's, so that two moments can be compared. */
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { collectGarbage } from "../support/heap.js";
import { openDescriptors, settle, spareThreadsEnded, threadCount } from "../support/leftovers.js";

export interface Held {
  readonly descriptors: number;
  readonly threads: number;
  /** Mappings of KVM's, and of shared pages. */
  readonly mappings: number;
  /** Entries of the folder for temporary files, which is the soak's own. */
  readonly files: number;
  /** Resident memory after garbage has been collected, in KiB. */
  readonly residentKib: number;
}

/** Counts once what goes late has gone: threads and descriptors of the machines before, for at most `ms`. */
export async function heldNow(wanted: Partial<Held> = {}, ms = 5000): Promise<Held> {
  await spareThreadsEnded();
  await settle(() => {
    const { descriptors, threads } = counts();
    return descriptors <= (wanted.descriptors ?? Infinity) && threads <= (wanted.threads ?? Infinity);
  }, ms);
  // Shared memory is let go of by finalizers, a turn after its buffers were collected.
  for (let turn = 0; turn < 3; turn++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { ...counts(), residentKib: residentKib() };
}

function counts(): Omit<Held, "residentKib"> {
  const maps = readFileSync("/proc/self/maps", "utf8");
  return {
    descriptors: openDescriptors().length,
    threads: threadCount(),
    mappings: (maps.match(/anon_inode:kvm|\/memfd:xen/g) ?? []).length,
    files: readdirSync(tmpdir()).length,
  };
}

function residentKib(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? NaN);
}

/** What there is more of in `after`; memory counts when it grew by more than `allowedKib`. */
export function growth(before: Held, after: Held, allowedKib: number): readonly string[] {
  const grown = (["descriptors", "threads", "mappings", "files"] as const).filter((kind) => after[kind] > before[kind]);
  const lines: string[] = grown.map((kind) => `${kind}: ${before[kind]} before, ${after[kind]} after`);
  const more = after.residentKib - before.residentKib;
  return more > allowedKib ? [...lines, `resident memory: ${more} KiB more, ${allowedKib} allowed`] : lines;
}

/** A log that goes on and on fills a disk: `each` lines for each thing done, where `allowed` are. */
export function loggedTooMuch(each: number, allowed: number): readonly string[] {
  return each > allowed ? [`log: ${each} lines each, ${allowed} allowed`] : [];
}
