/** Starting a machine's worker threads, and seeing them end. */
import type { Worker } from "node:worker_threads";
import { VmmError } from "../shared/errors.js";
import type { ActorStart } from "./protocol.js";
import { takeWorker } from "./spare-workers.js";
import type { StartedWorker } from "./spare-workers.js";

/** A running worker; `died` rejects when it ends before it was asked to. */
export interface ActorHandle {
  readonly worker: Worker;
  readonly died: Promise<never>;
  readonly gone: Promise<void>;
  /** From now on its end is what we want. */
  expectEnd(): void;
  /** Has a thread that has not come up end as soon as it has loaded its code; false when it has come up, or is about to. */
  turnBack(): boolean;
  /**
   * Ends a thread that has not come up; false when it has, or is about to, and is to be told. Files that it was reading may
   * stay open as long as the process lives.
   */
  callOff(): boolean;
  /** Blocks while the thread loads what must not be cut short; it may be ended from outside then. */
  settle(): void;
}

/** Loading takes milliseconds, on a busy host seconds. */
const SETTLE_MS = 30_000;
/** How long the error of a thread may be on its way after another, which it told to end, has ended. */
const TOLD_MS = 1000;

function notStarted(name: string, cause: unknown): VmmError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new VmmError("HOST_SYSCALL", `Cannot start the ${name} thread: ${reason}`, { actor: name }, { cause });
}

/** The host had no room for the thread, or no descriptor for the files of its code: no mistake of ours. */
function isRefusal(cause: Error): boolean {
  return ["ERR_WORKER_INIT_FAILED", "EMFILE", "ENFILE"].includes((cause as NodeJS.ErrnoException).code ?? "");
}

/** The code of an error that tells of the host, as it arrives from a thread: with its fields, but not of its class. */
function hostFailure(cause: Error): "HOST_SYSCALL" | "HOST_UNSUPPORTED" | undefined {
  const { name, code } = cause as Error & { readonly code?: unknown };
  return name === "VmmError" && (code === "HOST_SYSCALL" || code === "HOST_UNSUPPORTED") ? code : undefined;
}

function take(name: string, kind: ActorStart["kind"]): StartedWorker {
  try {
    return takeWorker(kind);
  } catch (cause) {
    throw notStarted(name, cause);
  }
}

/**
 * Makes a thread the actor that `start` says.
 *
 * @throws VmmError HOST_SYSCALL when the host has no room for another thread
 */
export function startWorker(name: string, start: ActorStart, transferList: readonly object[]): ActorHandle {
  const { worker, loading } = take(name, start.kind);
  worker.postMessage(start.init, transferList as never[]);
  let expected = false;
  const gone = new Promise<void>((resolve) => {
    worker.once("exit", () => {
      resolve();
    });
  });
  const died = new Promise<never>((_, reject) => {
    worker.once("error", (cause: Error) => {
      if (isRefusal(cause)) {
        reject(notStarted(name, cause));
        return;
      }
      const code = hostFailure(cause) ?? "ACTOR_FAILED";
      const failed = new VmmError(code, `The ${name} thread failed: ${cause.message}`, { actor: name }, { cause });
      failed.stack = `${failed.name}: ${failed.message}\n${cause.stack ?? ""}`;
      reject(failed);
    });
    worker.once("exit", (code) => {
      if (expected) return;
      const ended = new VmmError("ACTOR_FAILED", `The ${name} thread ended (code ${code})`, { actor: name, code });
      // One that failed may have told this one to end: that error is the one to hear of.
      if (code === 0) setTimeout(reject, TOLD_MS, ended);
      else reject(ended);
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
    turnBack: () => loading.callOff(),
    callOff: () => {
      if (!loading.callOff()) return false;
      expected = true;
      void worker.terminate();
      return true;
    },
    settle: () => {
      if (!loading.callOff()) loading.settle(SETTLE_MS);
    },
  };
}
