/**
 * How every worker thread begins: with the code of its actor loaded it waits to be told of its machine, so that it can be
 * started before that is known (spare-workers.ts).
 */
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { carryErrors } from "./comlink-errors.js";
import { preloadFast } from "./host/libc.js";
import { ThreadLoading } from "./thread-loading.js";

/** Calls `start` with the first message, which is the init of its kind of worker, and the port that it came by. */
export function awaitInit(start: (init: never, port: MessagePort) => void): void {
  const port = parentPort;
  if (port === null) throw new Error("This is the entry point of a worker thread");
  const loading = new ThreadLoading(workerData as SharedArrayBuffer);
  // Called off: with nothing to wait for, the thread ends.
  if (!loading.begin()) return;
  carryErrors();
  preloadFast();
  loading.end();
  port.once("message", (init) => {
    start(init as never, port);
  });
}
