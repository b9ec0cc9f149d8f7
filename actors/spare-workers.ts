/**
 * Threads that run already and wait to be told what they are for. A file of its own in the bundle, too, so that the launcher
 * can start one before it loads anything else: a thread takes as long to come up as all the rest of a machine's start.
 */
import { SHARE_ENV, Worker } from "node:worker_threads";
import type { ActorStart } from "./protocol.js";
import { ThreadLoading } from "./thread-loading.js";

/** There is an entry point for each. */
type ActorKind = ActorStart["kind"];

export interface StartedWorker {
  readonly worker: Worker;
  readonly loading: ThreadLoading;
}

/** Loading takes a few milliseconds; a thread that does not come to its end must not hold up the process's. */
const SETTLE_MS = 1000;
const spare: StartedWorker[] = [];
/**
 * Where the threads' code is: bundled, whether the program that makes machines is or not, as each of them would have a hundred
 * modules to load. The modules themselves where it is counted which of their code runs.
 */
const ROLES = new URL(process.env["NODE_V8_COVERAGE"] === undefined ? "../bundle/" : "./", import.meta.url);
/** Those that have not ended. */
const running = new Set<StartedWorker>();

/**
 * Starts the threads of `count` vCPUs ahead of their machine, so that they load while the caller reads its configuration. A
 * machine takes them as it needs them; one that is never taken does not keep the process alive.
 */
export function prewarmWorkers(count: number): void {
  for (let i = 0; i < count; i++) {
    const started = startThread("vcpu");
    started.worker.unref();
    spare.push(started);
  }
}

/** A spare thread, or a new one. */
export function takeWorker(kind: ActorKind): StartedWorker {
  const started = (kind === "vcpu" ? spare.shift() : undefined) ?? startThread(kind);
  const { worker } = started;
  worker.ref();
  // Ours write nothing there, but Node might warn. Its own forwarding adds listeners to our standard streams for each
  // worker, and warns itself when they are many. Not before: reading from a thread keeps the process alive.
  worker.stderr.on("data", (chunk: Buffer) => process.stderr.write(chunk));
  worker.stdout.resume();
  return started;
}

function startThread(kind: ActorKind): StartedWorker {
  const loading = new ThreadLoading();
  const worker = new Worker(new URL(`${kind}-role.js`, ROLES), {
    name: "xenolith",
    workerData: loading.buffer,
    env: SHARE_ENV,
    execArgv: [],
    // Else Node makes a stream in the thread only to end it.
    stdin: true,
    stdout: true,
    stderr: true,
  });
  const started = { worker, loading };
  if (running.size === 0) process.on("exit", settleAll);
  running.add(started);
  worker.once("exit", () => {
    running.delete(started);
    if (running.size === 0) process.off("exit", settleAll);
  });
  return started;
}

/** The end of the process ends threads wherever they are, but where they must not be ended. */
function settleAll(): void {
  for (const { loading } of running) if (!loading.callOff()) loading.settle(SETTLE_MS);
}
