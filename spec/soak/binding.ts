/**
 * What the foreign-function binding keeps of each thread that has loaded it, until the process ends: of koffi 3.3 about 30 KiB,
 * which is nothing of ours, but in a soak comes to more than all that grows there otherwise.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** As many as run in one of the soak's machines after the other, in turns. */
const AT_ONCE = 8;

/** KiB of `resident` memory for each of `threads` that load the binding and end; those before them fill pools. */
export async function keptByThread(threads: number, resident: () => Promise<number>): Promise<number> {
  await run(threads / 4);
  const before = await resident();
  await run(threads);
  return Math.max(0, (await resident()) - before) / threads;
}

async function run(threads: number): Promise<void> {
  for (let started = 0; started < threads; started += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, loadOnce));
  }
}

async function loadOnce(): Promise<void> {
  const libc = new URL("../../actors/host/libc.js", import.meta.url);
  const source = `import(${JSON.stringify(libc.href)}).then(({ preloadFast }) => preloadFast())`;
  // As a machine's threads: Node's streams for it stay out of the count.
  await once(new Worker(source, { eval: true, stdin: true, stdout: true, stderr: true }), "exit");
}
