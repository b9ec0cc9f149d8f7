/**
 * Threads that run already and wait to be told what they are for. A file of its own in the bundle, too, so that the launcher
 * can start one before it loads anything else: a thread takes as long to come up as all the rest of a machine's start.
 *
 * Where machines come and go, their threads go on as those of others. A thread costs more than a start: koffi never gives back
 * what it has for one (docs/reliability.md).
 */
import { SHARE_ENV, Worker } from "node:worker_threads";
import type { ActorStart } from "./protocol.js";
import { ThreadLoading } from "./thread-loading.js";
import type { WorkerOrder } from "./worker-entry.js";

/** There is an entry point for each. */
type ActorKind = ActorStart["kind"];

export interface StartedWorker {
  readonly worker: Worker;
  readonly loading: ThreadLoading;
  readonly kind: ActorKind;
  /** How many actors it has been. */
  lives: number;
  taken: boolean;
}

/** Loading takes a few milliseconds; a thread that does not come to its end must not hold up the process's. */
const SETTLE_MS = 1000;
/** A process that has started fewer has not many machines: its threads end with them. */
const MANY_THREADS = 32;
/** For so long a thread waits for another machine. */
const SPARE_MS = 500;
/**
 * And so many actors it is. Each leaves it the shared memory of its machine: without pages, but with gigabytes of addresses,
 * until V8 collects it, and nothing in a thread that sleeps makes it do so.
 */
const LIVES = 16;
const spare: StartedWorker[] = [];
/**
 * Where the threads' code is: bundled, whether the program that makes machines is or not, as each of them would have a hundred
 * modules to load. The modules themselves where it is counted which of their code runs.
 */
const ROLES = new URL(process.env["NODE_V8_COVERAGE"] === undefined ? "../bundle/" : "./", import.meta.url);
/** Those that have not ended. */
const running = new Set<StartedWorker>();
let starts = 0;

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

/** A spare thread, or a new one. `fresh` when it has to be one that has been nothing yet. */
export function takeWorker(kind: ActorKind, { fresh = false } = {}): StartedWorker {
  const at = spare.findIndex((one) => one.kind === kind && (!fresh || one.lives === 0));
  const [started = startThread(kind)] = at < 0 ? [] : spare.splice(at, 1);
  started.lives++;
  started.taken = true;
  started.worker.ref();
  return started;
}

/**
 * Takes a thread back whose actor's work is over. False when it is of no more use, and is to be told to end: kept ones do not
 * keep the process alive, and are told when nobody has taken them for a while.
 */
export function keepWorker(started: StartedWorker): boolean {
  if (starts < MANY_THREADS || started.lives >= LIVES) return false;
  started.taken = false;
  started.worker.unref();
  spare.push(started);
  setTimeout(endUnlessTaken, SPARE_MS, started, started.lives).unref();
  return true;
}

/** How many threads wait, or are about to end because nobody has taken them. */
export function spareWorkers(): number {
  return [...running].filter(({ taken }) => !taken).length;
}

function endUnlessTaken(started: StartedWorker, lives: number): void {
  const at = spare.indexOf(started);
  if (at < 0 || started.lives !== lives) return;
  spare.splice(at, 1);
  started.worker.postMessage({ kind: "end" } satisfies WorkerOrder);
}

function startThread(kind: ActorKind): StartedWorker {
  const loading = new ThreadLoading();
  const worker = new Worker(new URL(`${kind}-role.js`, ROLES), {
    name: "xenolith",
    workerData: loading.buffer,
    env: SHARE_ENV,
    execArgv: [],
    // Else Node makes a stream in the thread only to end it. The others are not read: see worker-entry.ts.
    stdin: true,
    stdout: true,
    stderr: true,
  });
  starts++;
  const started = { worker, loading, kind, lives: 0, taken: false };
  if (running.size === 0) process.on("exit", settleAll);
  running.add(started);
  const unspare = (): void => {
    const at = spare.indexOf(started);
    if (at >= 0) spare.splice(at, 1);
  };
  // Whoever has taken it listens, too. Where nobody has, nobody is harmed.
  worker.on("error", unspare);
  worker.once("exit", () => {
    running.delete(started);
    unspare();
    if (running.size === 0) process.off("exit", settleAll);
  });
  return started;
}

/** The end of the process ends threads wherever they are, but where they must not be ended. */
function settleAll(): void {
  for (const { loading } of running) if (!loading.callOff()) loading.settle(SETTLE_MS);
}
