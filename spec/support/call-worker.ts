/** Runs a compiled module as a worker thread and gives what it posts first. */
import { Worker } from "node:worker_threads";

/** The worker has ended when this settles. */
export async function callWorker(module: URL, workerData: unknown): Promise<unknown> {
  const worker = new Worker(module, { workerData });
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  try {
    return await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", () => {
        reject(new Error(`${module.pathname} ended without a word`));
      });
    });
  } finally {
    await worker.terminate();
    await ended;
  }
}
