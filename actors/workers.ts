/** Starting a machine's worker threads, and seeing them end. */
import { Worker } from "node:worker_threads";
import { VmmError } from "../shared/errors.js";

/** Which compiled file each kind of worker runs. */
const ENTRY = {
  vcpu: new URL("./vcpu-worker.js", import.meta.url),
  device: new URL("./device-worker.js", import.meta.url),
  disk: new URL("./disk-worker.js", import.meta.url),
} as const;

/** A running worker; `died` rejects when it ends before it was asked to. */
export interface ActorHandle {
  readonly worker: Worker;
  readonly died: Promise<never>;
  readonly gone: Promise<void>;
  /** From now on its end is what we want. */
  expectEnd(): void;
}

export function startWorker(
  kind: keyof typeof ENTRY,
  name: string,
  start: { readonly workerData: unknown; readonly transferList: readonly object[] },
): ActorHandle {
  const worker = new Worker(ENTRY[kind], {
    name,
    workerData: start.workerData,
    transferList: start.transferList as never[],
    execArgv: [],
  });
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
