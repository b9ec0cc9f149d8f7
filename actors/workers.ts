/** Giving a machine's actors threads, and seeing their work end. */
import { VmmError } from "../shared/errors.js";
import { faultPlan } from "./host/faults.js";
import { perturbationSeed } from "./host/perturbation.js";
import type { ActorStart } from "./protocol.js";
import type { WorkerOrder } from "./worker-entry.js";
import { keepWorker, takeWorker } from "./spare-workers.js";
import type { StartedWorker } from "./spare-workers.js";

/** An actor with its thread; `died` rejects when it ends before it was asked to. */
export interface ActorHandle {
  readonly died: Promise<never>;
  /** Its thread has ended, or has done all and waits for another machine. */
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
  /** Ends the thread wherever it is, unless it is {@link gone}. */
  terminate(): Promise<void>;
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

function take(name: string, kind: ActorStart["kind"], fresh: boolean): StartedWorker {
  try {
    return takeWorker(kind, { fresh });
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
  // A thread knows from its start on, and for good, whether its calls are to fail or be held up: it is of use for this only.
  const instrumented = faultPlan() !== undefined || perturbationSeed() !== undefined;
  const started = take(name, start.kind, instrumented);
  const { worker, loading } = started;
  const tell = (order: WorkerOrder, transfer: readonly object[] = []): void => {
    worker.postMessage(order, transfer as never[]);
  };
  tell({ kind: "live", init: start.init }, transferList);
  let expected = false;
  let isGone = false;
  let isTerminated = false;
  const terminate = async (): Promise<void> => {
    isTerminated = true;
    await worker.terminate();
  };
  let resolveGone: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    resolveGone = resolve;
  });
  const died = new Promise<never>((_, reject) => {
    const ended = (code: number): VmmError =>
      new VmmError("ACTOR_FAILED", `The ${name} thread ended (code ${code})`, { actor: name, code });
    const onError = (cause: Error): void => {
      reject(errorOf(name, cause));
    };
    const onExit = (code: number): void => {
      isGone = true;
      resolveGone();
      if (expected) return;
      // One that failed may have told this one to end: that error is the one to hear of.
      if (code === 0) setTimeout(reject, TOLD_MS, ended(code));
      else reject(ended(code));
    };
    worker.on("error", onError);
    worker.on("exit", onExit);
    worker.once("message", () => {
      // All that a thread says: its actor's work is over.
      if (!expected || isTerminated || instrumented || !keepWorker(started)) {
        tell({ kind: "end" });
        return;
      }
      worker.off("error", onError);
      worker.off("exit", onExit);
      isGone = true;
      resolveGone();
    });
  });
  // Whoever waits for the machine hears of it; a handler here keeps Node from ending the process.
  died.catch(() => undefined);
  return {
    died,
    gone,
    expectEnd: () => {
      expected = true;
    },
    turnBack: () => !isGone && loading.callOff(),
    callOff: () => {
      if (isGone || !loading.callOff()) return false;
      expected = true;
      void terminate();
      return true;
    },
    settle: () => {
      if (!loading.callOff()) loading.settle(SETTLE_MS);
    },
    terminate: async () => {
      if (!isGone) await terminate();
    },
  };
}

/** What became of a thread that ended by `cause`. */
function errorOf(name: string, cause: Error): VmmError {
  if (isRefusal(cause)) return notStarted(name, cause);
  const code = hostFailure(cause) ?? "ACTOR_FAILED";
  const failed = new VmmError(code, `The ${name} thread failed: ${cause.message}`, { actor: name }, { cause });
  failed.stack = `${failed.name}: ${failed.message}\n${cause.stack ?? ""}`;
  return failed;
}
