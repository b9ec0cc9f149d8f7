/** Which code of this thread has run, by V8's own count of each block (the inspector's Profiler.takePreciseCoverage). */
import { Session } from "node:inspector";
import type { Profiler } from "node:inspector";

/** One function that has run. */
interface FunctionRun {
  readonly key: string;
  /** A byte for each character of its code, 1 for those that have run. */
  readonly ran: Uint8Array;
}

/** Counts from its making on. One at a time: V8 has one count of a block, which a look sets back. */
export class BlockCoverage {
  readonly #session = new Session();
  readonly #counts: (url: string) => boolean;

  /** `counts` says whether that file's code is looked at. */
  constructor(counts: (url: string) => boolean) {
    this.#counts = counts;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** What has run since the last time. */
  take(): readonly FunctionRun[] {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    // It calls back before it returns.
    this.#session.post("Profiler.takePreciseCoverage", (error, taken) => {
      if (error !== null) throw error;
      scripts = taken.result;
    });
    return scripts
      .filter(({ url }) => this.#counts(url))
      .flatMap(({ url, functions }) => functions.flatMap(({ ranges }) => functionRun(url, ranges)));
  }

  close(): void {
    this.#session.post("Profiler.stopPreciseCoverage");
    this.#session.disconnect();
  }
}

/** `ranges` are those of one function, an outer one before what is within it. */
function functionRun(url: string, ranges: readonly Profiler.CoverageRange[]): FunctionRun[] {
  const [whole] = ranges;
  if (whole === undefined || whole.count === 0) return [];
  const { startOffset: start, endOffset: end } = whole;
  const ran = new Uint8Array(end - start);
  for (const { startOffset, endOffset, count } of ranges) {
    ran.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start);
  }
  return [{ key: `${url}:${start}:${end}`, ran }];
}

/** Code that has run in anything that was added. */
export class ReachedCode {
  /** Characters of it. */
  size = 0;
  readonly #functions = new Map<string, Uint8Array>();

  /** @returns how many characters of `runs` it had not yet */
  add(runs: readonly FunctionRun[]): number {
    const before = this.size;
    for (const { key, ran } of runs) {
      const known = this.#functions.get(key) ?? new Uint8Array(ran.length);
      this.#functions.set(key, known);
      for (const [at, one] of ran.entries()) {
        if (one === 0 || known[at] === 1) continue;
        known[at] = 1;
        this.size++;
      }
    }
    return this.size - before;
  }

  /** Whether {@link add} would add any. */
  lacks(runs: readonly FunctionRun[]): boolean {
    return runs.some(({ key, ran }) => {
      const known = this.#functions.get(key);
      return known === undefined || ran.some((one, at) => one > (known[at] ?? 0));
    });
  }
}
