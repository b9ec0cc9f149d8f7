/** Starting a machine's worker threads, and seeing them end. */
import { SHARE_ENV, Worker } from "node:worker_threads";
import { VmmError } from "../shared/errors.js";
import type { ActorStart } from "./protocol.js";

const ENTRY = new URL("./actor-worker.js", import.meta.url);
/** Threads that run already and wait to be told what they are. */
const spare: Worker[] = [];

/**
 * Starts `count` threads ahead of their machine, so that they load while the caller reads its configuration. A machine
 * takes them as it needs them; one that is never taken does not keep the process alive.
 */
export function prewarmWorkers(count: number): void {
  for (let i = 0; i < count; i++) {
    const worker = createWorker();
    worker.unref();
    spare.push(worker);
  }
}

function createWorker(): Worker {
  const worker = new Worker(ENTRY, { name: "xenolith", env: SHARE_ENV, execArgv: [], stdout: true, stderr: true });
  // Ours write nothing there, but Node might warn. Its own forwarding adds listeners to our standard streams for each
  // worker, and warns itself when they are many.
  worker.stderr.on("data", (chunk: Buffer) => process.stderr.write(chunk));
  worker.stdout.resume();
  return worker;
}

/** A running worker; `died` rejects when it ends before it was asked to. */
export interface ActorHandle {
  readonly worker: Worker;
  readonly died: Promise<never>;
  readonly gone: Promise<void>;
  /** From now on its end is what we want. */
  expectEnd(): void;
}

/** Makes a thread the actor that `start` says. */
export function startWorker(name: string, start: ActorStart, transferList: readonly object[]): ActorHandle {
  const worker = spare.shift() ?? createWorker();
  worker.ref();
  worker.postMessage(start, transferList as never[]);
  let expected = false;
  const gone = new Promise<void>((resolve) => {
    worker.once("exit", () => {
      resolve();
    });
  });
  const died = new Promise<never>((_, reject) => {
    worker.once("error", (cause: Error) => {
      const failed = new VmmError(
        "ACTOR_FAILED",
        `The ${name} thread failed: ${cause.message}`,
        { actor: name },
        { cause },
      );
      failed.stack = `${failed.name}: ${failed.message}\n${cause.stack ?? ""}`;
      reject(failed);
    });
    worker.once("exit", (code) => {
      if (!expected)
        reject(new VmmError("ACTOR_FAILED", `The ${name} thread ended (code ${code})`, { actor: name, code }));
    });
  });
  // Whoever waits for the machine hears of it; a handler here keeps Node from ending the process.
  died.catch(() => undefined);
  return {
    worker,
    died,
    gone,
    expectEnd: () => {
      expected = true;
    },
  };
}
