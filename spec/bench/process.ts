/** Running a program under measurement, with the times of what can be seen from outside. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { BenchError } from "./errors.js";

export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  /** Added to an environment that is otherwise empty but for PATH: what a user's settings add to a start is not ours to measure. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from the start of the process to its end. */
  readonly exitMs: number;
  /** The same to its first output; undefined when there was none. */
  readonly outputMs: number | undefined;
}

const TIMEOUT_MS = 120_000;
const KILL_GRACE_MS = 5000;

/** Runs to the end. @throws BenchError when that does not come, or not with `code` */
export async function run(program: Program, code: number): Promise<Run> {
  const started = performance.now();
  const child = start(program);
  const output = { stdout: "", stderr: "" };
  let outputMs: number | undefined;
  let exitMs = 0;
  child.stdout?.on("data", (chunk: Buffer) => {
    outputMs ??= performance.now() - started;
    output.stdout += chunk.toString("latin1");
  });
  child.stderr?.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  child.on("exit", () => (exitMs = performance.now() - started));
  const limit = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  try {
    await once(child, "close");
  } catch (cause) {
    throw new BenchError(`Cannot run ${program.file}: ${(cause as Error).message}`, { cause });
  } finally {
    clearTimeout(limit);
  }
  if (child.exitCode !== code) {
    const how = child.exitCode ?? child.signalCode ?? "no exit code";
    throw new BenchError(`${describe(program)} ended with ${how}, not ${code}:\n${output.stderr}`);
  }
  return { code: child.exitCode, ...output, exitMs, outputMs };
}

/** Runs it until `use` is done with its process id, then ends it. */
export async function during<T>(program: Program, use: (pid: number) => Promise<T>): Promise<T> {
  const child = start(program);
  child.stdout?.resume();
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const closed = once(child, "close");
  const ended = closed.then(() => {
    throw new BenchError(`${describe(program)} ended too soon:\n${stderr}`);
  });
  ended.catch(() => undefined);
  const { pid } = child;
  const work = pid === undefined ? ended : use(pid);
  work.catch(() => undefined); // its process may end under its hands
  try {
    return await Promise.race([work, ended]);
  } finally {
    child.kill("SIGTERM");
    const limit = setTimeout(() => child.kill("SIGKILL"), KILL_GRACE_MS);
    await closed.catch(() => undefined);
    clearTimeout(limit);
  }
}

function start({ file, args, env }: Program): ChildProcess {
  return spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env["PATH"], ...env } });
}

function describe({ file, args }: Program): string {
  return [file, ...args].join(" ");
}
