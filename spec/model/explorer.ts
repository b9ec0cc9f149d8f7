/**
 * Runs every interleaving of a few threads, which execute the project's own code over shared memory.
 *
 * A thread is a function. Each of its operations on shared memory and each of its system calls is a step, between any two
 * of which any other thread may run. To stop a thread in the middle it is unwound by an exception, and to go on it is run
 * from its start with the results that its operations had: so its own objects must be made in the function, and it must
 * see nothing else that changes. Two ways to one state (the same memory, and the same results for every thread) are
 * followed once from there, and counted as two. A thread may be a list of functions, one after the other: what those before
 * saw is forgotten but for what they returned, which leaves fewer states. A look at a word that no other thread ever
 * writes is no step; who writes what is found out on the way, and then all begins anew.
 *
 * Processors are x86's: a plain store stays in its thread's store buffer for any time, and only that thread's loads see
 * it; everything that Atomics does but loads waits until the buffer is empty.
 */
import { Memory } from "./memory.js";
import type { Cell } from "./memory.js";
import type { BufferedStore, Operation, Result } from "./operation.js";

/** What is thrown to unwind a thread. */
const SUSPENDED = new Error("This thread of a model is suspended");
/** What is thrown when there are more steps than were thought. */
const ANEW = new Error("More is known of this model than at the beginning");
/** More steps than this means a loop that no other thread ends. */
const MOST_STEPS = 1000;

/** A thread's history: the results of its operations so far, as a path from the root. */
interface History {
  readonly id: number;
  /** Which of the thread's functions it is of, and what those before it returned. */
  readonly part: number;
  readonly values: readonly unknown[];
  readonly before: History | undefined;
  readonly result: Result;
  readonly next: Map<Result, History>;
  /** What the thread does next; undefined when it has ended, or was never brought here. */
  operation: Operation | undefined;
  ended: { readonly value: unknown } | { readonly error: unknown } | undefined;
}

interface ThreadState {
  readonly history: History;
  readonly sleepsOn: Cell | undefined;
  readonly stores: readonly BufferedStore[];
}

/** How all threads stand when none can go on. */
export interface Ending {
  /** By thread: whether it has ended, rather than being blocked. */
  readonly ended: readonly boolean[];
  /** By thread: what its functions returned. */
  readonly values: readonly (readonly unknown[])[];
}

type Program = () => unknown;

export interface Model {
  readonly threads: Readonly<Record<string, Program | readonly Program[]>>;
  /** Called each time before a thread is run from its start. */
  readonly begin?: () => void;
  /** Throws when the model may not end like that. */
  readonly check: (ending: Ending) => void;
}

export interface Explored {
  /** Different orders of steps from the beginning to an end. */
  readonly interleavings: bigint;
  readonly states: number;
}

/** One order of steps that ends as it may not. */
export class Finding extends Error {
  readonly steps: readonly string[];

  constructor(cause: unknown, steps: readonly string[]) {
    super(`${cause instanceof Error ? cause.message : String(cause)}\n  ${steps.join("\n  ")}`, { cause });
    this.name = "Finding";
    this.steps = steps;
  }
}

export class Explorer {
  readonly memory = new Memory();
  readonly #names: readonly string[];
  readonly #programs: readonly (readonly Program[])[];
  /** Where each function begins, by thread, part and values. */
  readonly #roots = new Map<string, History>();
  readonly #runBegins: () => void;
  readonly #check: Model["check"];
  #threads: ThreadState[];
  /** Asleep, in the order in which they fell asleep. */
  #sleepers: readonly number[] = [];
  /** Awake again, and yet to be told so. */
  #woken: readonly number[] = [];
  #histories = 0;
  readonly #counts = new Map<string, bigint>();
  readonly #trace: string[] = [];
  /** The thread that is being run, the results it is still to be given, and where it stands. */
  #running: { readonly thread: number; readonly log: Result[]; at: number; history: History } | undefined;
  #unwinding = false;
  /** The thread whose operation runs now. */
  #actor = 0;

  constructor({ threads, begin = () => undefined, check }: Model) {
    this.#names = Object.keys(threads);
    this.#programs = Object.values(threads).map((program) => [program].flat());
    this.#runBegins = begin;
    this.#check = check;
    this.#threads = [];
  }

  async explore(): Promise<Explored> {
    for (;;) {
      try {
        this.#threads = this.#programs.map((_, thread) => ({
          history: this.#root(thread, 0, []),
          sleepsOn: undefined,
          stores: [],
        }));
        const { knowledge } = this.memory;
        for (const thread of this.#programs.keys()) await this.#settle(thread);
        if (this.memory.knowledge > knowledge) throw ANEW;
        return { interleavings: await this.#from(), states: this.#counts.size };
      } catch (error) {
        if (error !== ANEW) throw error;
        this.#counts.clear();
        this.#roots.clear();
        [this.#sleepers, this.#woken] = [[], []];
        this.#trace.length = 0;
      } finally {
        this.memory.backTo(0);
      }
    }
  }

  /** Called by the running thread: the operation's result, now or when it is run again. */
  perform(operation: Operation): Result {
    const running = this.#running;
    if (running === undefined) throw new Error(`${operation.label}: no thread of the model runs`);
    if (this.#unwinding) throw SUSPENDED;
    if (running.at < running.log.length) return running.log[running.at++] ?? 0;
    const { history } = running;
    const spins =
      history.before?.operation?.label === operation.label && operation.fruitless?.(history.result) === true;
    const { reads } = operation;
    const alone = reads !== undefined && !this.memory.othersWrite(reads, running.thread);
    history.operation = spins || alone ? { ...operation, quiet: true } : operation;
    if (history.operation.quiet !== true) {
      this.#unwinding = true;
      throw SUSPENDED;
    }
    this.#actor = running.thread;
    const result = operation.run() as Result;
    running.history = this.#after(history, result);
    running.log.push(result);
    running.at++;
    return result;
  }

  /** For operations: the value that the acting thread sees. */
  load(cell: Cell): number {
    const own = this.#threads[this.#actor]?.stores.findLast((store) => store.cell === cell);
    return own?.value ?? this.memory.read(cell);
  }

  /** For operations: the acting thread writes at once. */
  store(cell: Cell, value: number): void {
    this.memory.writes(cell, this.#actor);
    this.memory.write(cell, value);
  }

  /** For operations: a plain store. */
  buffer(cell: Cell, value: number): void {
    this.memory.writes(cell, this.#actor);
    this.#change(this.#actor, (state) => ({ ...state, stores: [...state.stores, { cell, value }] }));
  }

  /** For operations: wakes at most `most` of those that sleep on `cell`, first come first. */
  wake(cell: Cell, most: number): number {
    const woken = this.#sleepers.filter((thread) => this.#threads[thread]?.sleepsOn === cell).slice(0, most);
    for (const thread of woken) this.#change(thread, (state) => ({ ...state, sleepsOn: undefined }));
    this.#sleepers = this.#sleepers.filter((thread) => !woken.includes(thread));
    this.#woken = [...this.#woken, ...woken];
    return woken.length;
  }
  /** The number of ways to go on from the present state. */
  async #from(): Promise<bigint> {
    const key = this.#key();
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    if (this.#trace.length > MOST_STEPS) throw new Finding("The threads do not come to an end", this.#trace);
    const before = { threads: [...this.#threads], sleepers: this.#sleepers, woken: this.#woken, now: this.memory.now };
    let ways = 0n;
    for (const thread of this.#programs.keys()) {
      for (const move of this.#moves(thread)) {
        const { knowledge } = this.memory;
        await move();
        if (this.memory.knowledge > knowledge) throw ANEW;
        ways += await this.#from();
        this.#trace.pop();
        this.#threads = [...before.threads];
        this.#sleepers = before.sleepers;
        this.#woken = before.woken;
        this.memory.backTo(before.now);
      }
    }
    if (ways === 0n) {
      this.#end();
      ways = 1n;
    }
    this.#counts.set(key, ways);
    return ways;
  }

  /** What `thread` may do now: its next operation, and its oldest buffered store's becoming visible. */
  #moves(thread: number): readonly (() => Promise<void>)[] {
    const state = this.#threads[thread];
    if (state === undefined) return [];
    const { stores, sleepsOn, history } = state;
    const { operation } = history;
    const moves: (() => Promise<void>)[] = [];
    const [oldest] = stores;
    if (oldest !== undefined) {
      moves.push(() => {
        this.#trace.push(`${this.#names[thread] ?? ""}: a store becomes visible: ${oldest.value}`);
        this.memory.write(oldest.cell, oldest.value);
        this.#change(thread, (now) => ({ ...now, stores: now.stores.slice(1) }));
        return Promise.resolve();
      });
    }
    const waits = sleepsOn !== undefined || (stores.length > 0 && operation?.passesStores !== true);
    if (operation === undefined || waits) return moves;
    if (this.#woken.includes(thread)) {
      moves.push(() => {
        this.#woken = this.#woken.filter((other) => other !== thread);
        return this.#went(thread, "is awake", "ok");
      });
    } else if (operation.enabled?.() !== false) {
      moves.push(async () => {
        this.#actor = thread;
        const result = operation.run();
        if (typeof result !== "object") return this.#went(thread, operation.label, result);
        this.#trace.push(`${this.#names[thread] ?? ""}: ${operation.label} sleeps`);
        this.#change(thread, (now) => ({ ...now, sleepsOn: result.sleepsOn }));
        this.#sleepers = [...this.#sleepers, thread];
      });
    }
    return moves;
  }

  async #went(thread: number, label: string, result: Result): Promise<void> {
    this.#trace.push(`${this.#names[thread] ?? ""}: ${label} -> ${result}`);
    this.#change(thread, (now) => ({ ...now, history: this.#after(now.history, result) }));
    await this.#settle(thread);
  }

  /** Brings `thread` to its next step, or to its end. */
  async #settle(thread: number): Promise<void> {
    let history = this.#threads[thread]?.history;
    while (history !== undefined) {
      if (history.operation === undefined && history.ended === undefined) history = await this.#run(thread, history);
      else if (history.operation?.quiet === true) {
        this.#actor = thread;
        history = this.#after(history, history.operation.run() as Result);
      } else if (history.ended !== undefined && "value" in history.ended && this.#hasMore(thread, history)) {
        history = this.#root(thread, history.part + 1, [...history.values, history.ended.value]);
      } else break;
    }
    if (history === undefined) return;
    const reached = history;
    this.#change(thread, (now) => ({ ...now, history: reached }));
    if (reached.ended !== undefined && "error" in reached.ended) throw new Finding(reached.ended.error, this.#trace);
  }

  /** Runs `thread` from its start to beyond `history`. */
  async #run(thread: number, history: History): Promise<History> {
    const log: Result[] = [];
    for (let at = history; at.before !== undefined; at = at.before) log.unshift(at.result);
    const running = { thread, log, at: 0, history };
    this.#running = running;
    this.#unwinding = false;
    this.#runBegins();
    try {
      const value = await this.#programs[thread]?.[history.part]?.();
      running.history.ended = { value };
    } catch (error) {
      if (error !== SUSPENDED) running.history.ended = { error };
    }
    this.#running = undefined;
    return running.history;
  }

  #end(): void {
    const ends = this.#threads.map(({ history }) => history.ended);
    try {
      this.#check({
        ended: ends.map((end) => end !== undefined),
        values: this.#threads.map(({ history: { ended, values } }) =>
          ended !== undefined && "value" in ended ? [...values, ended.value] : values,
        ),
      });
    } catch (error) {
      throw new Finding(error, [...this.#trace]);
    }
  }

  #hasMore(thread: number, { part }: History): boolean {
    return part + 1 < (this.#programs[thread]?.length ?? 0);
  }

  #root(thread: number, part: number, values: readonly unknown[]): History {
    const key = JSON.stringify([thread, part, values]);
    let root = this.#roots.get(key);
    if (root === undefined) this.#roots.set(key, (root = this.#begin({ part, values, before: undefined, result: 0 })));
    return root;
  }

  #begin(place: Pick<History, "part" | "values" | "before" | "result">): History {
    return { ...place, id: this.#histories++, next: new Map(), operation: undefined, ended: undefined };
  }

  #after(history: History, result: Result): History {
    let next = history.next.get(result);
    if (next === undefined) history.next.set(result, (next = this.#begin({ ...history, before: history, result })));
    return next;
  }

  #change(thread: number, change: (state: ThreadState) => ThreadState): void {
    const state = this.#threads[thread];
    if (state !== undefined) this.#threads[thread] = change(state);
  }

  #key(): string {
    const threads = this.#threads.map(({ history, sleepsOn, stores }) => {
      const buffered = stores.map(({ cell, value }) => `${cell.id}=${value}`);
      return `${history.id}${sleepsOn === undefined ? "" : `z${sleepsOn.id}`} ${buffered.join(" ")}`;
    });
    return `${this.memory.text()};${threads.join(";")};${this.#sleepers.join(",")};${this.#woken.join(",")}`;
  }
}
