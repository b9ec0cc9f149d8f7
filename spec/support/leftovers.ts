/** What a process holds: descriptors and threads, as /proc shows them. */
import { readdirSync, readlinkSync } from "node:fs";
import { spareWorkers } from "../../actors/spare-workers.js";

/** Open descriptors as "what they are" (two eventfds look the same); those of the runtime's own event loops left out. */
export function openDescriptors(): readonly string[] {
  return readdirSync("/proc/self/fd")
    .flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        // The descriptor of the listing itself.
        return [];
      }
    })
    .filter((target) => !/^\/proc\/\d+\/fd$/.test(target))
    .sort();
}

export function threadCount(): number {
  return readdirSync("/proc/self/task").length;
}

/** Waits until threads have ended that are kept for another machine for a while. */
export async function spareThreadsEnded(): Promise<void> {
  await settle(() => spareWorkers() === 0);
}

/** Waits until `holds()`, for at most `ms`: threads and descriptors go a moment after whoever had them. */
export async function settle(holds: () => boolean, ms = 10_000): Promise<void> {
  const until = Date.now() + ms;
  while (!holds() && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
}
