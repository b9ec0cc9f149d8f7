/**
 * How every worker thread begins: with the code of its actor loaded it waits to be told of its machine, so that it can be
 * started before that is known, and be an actor of another machine after that (spare-workers.ts).
 */
import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { parentPort, workerData } from "node:worker_threads";
import { carryErrors } from "./comlink-errors.js";
import { preloadFast } from "./host/libc.js";
import type { ActorStart } from "./protocol.js";
import { ThreadLoading } from "./thread-loading.js";

/** What a thread is told. */
export type WorkerOrder = { readonly kind: "live"; readonly init: ActorStart["init"] } | { readonly kind: "end" };

/** Calls `live` with the init of each actor that the thread is to be; it resolves when that actor's work is over. */
export function awaitInit(live: (init: never) => Promise<void>): void {
  const port = parentPort;
  if (port === null) throw new Error("This is the entry point of a worker thread");
  const loading = new ThreadLoading(workerData as SharedArrayBuffer);
  // Called off: with nothing to wait for, the thread ends.
  if (!loading.begin()) return;
  complainDirectly();
  carryErrors();
  preloadFast();
  loading.end();
  port.on("message", (order: WorkerOrder) => {
    if (order.kind === "end") {
      port.close();
      return;
    }
    // A failure is an unhandled rejection here: it ends the thread, and the machine hears why.
    void live(order.init as never).then(() => {
      port.postMessage("rested");
    });
  });
}

/**
 * What Node has to say, a warning of its own, goes to the process's standard error without the way through the main thread:
 * whoever listens there keeps the process alive, and this thread is not to when it rests.
 */
function complainDirectly(): void {
  const write = (chunk: Buffer, _encoding: unknown, done: () => void): void => {
    try {
      writeSync(2, chunk);
    } catch {
      // Nobody reads it, or not now.
    }
    done();
  };
  Object.defineProperty(process, "stderr", { value: new Writable({ write }), configurable: true });
}
