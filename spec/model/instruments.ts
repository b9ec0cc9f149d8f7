/**
 * Puts a model in the place of what threads share: `Atomics` becomes one whose every call is a step of the running thread,
 * arrays are watched for plain accesses, and neither time nor the event loop is the host's.
 */
import { SharedArena } from "../../shared/arena.js";
import { Explorer } from "./explorer.js";
import type { Explored, Model } from "./explorer.js";
import type { SharedArray } from "./memory.js";
import type { Operation, Result } from "./operation.js";

/** What of Atomics the project uses. */
export interface AtomicCalls {
  readonly load: (array: SharedArray, index: number) => number;
  readonly store: (array: SharedArray, index: number, value: number) => number;
  readonly add: (array: SharedArray, index: number, value: number) => number;
  readonly sub: (array: SharedArray, index: number, value: number) => number;
  readonly or: (array: SharedArray, index: number, value: number) => number;
  readonly and: (array: SharedArray, index: number, value: number) => number;
  readonly exchange: (array: SharedArray, index: number, value: number) => number;
  readonly compareExchange: (array: SharedArray, index: number, expected: number, value: number) => number;
  readonly wait: (array: SharedArray, index: number, value: number, timeoutMs?: number) => string;
  readonly notify: (array: SharedArray, index: number, count?: number) => number;
  /** A store as processors make it when nobody asks for more: not one of Atomics, for planted mistakes. */
  readonly plainStore: (array: SharedArray, index: number, value: number) => number;
  /** A store that others see before those that the thread made before it, as no x86 makes it: for planted mistakes, too. */
  readonly overtakingStore: (array: SharedArray, index: number, value: number) => number;
}

/** Makes a mistake of some calls. Called each time that a thread is run from its start: what it keeps is the thread's. */
export type Plant = (atomics: AtomicCalls) => Partial<AtomicCalls>;

let explorer: Explorer | undefined;

/** The running thread does `operation` as its next step. */
export function step(operation: Operation): Result {
  if (explorer === undefined) throw new Error(`${operation.label}: there is no model`);
  return explorer.perform(operation);
}

/** Waits until word `index` of `array` is not 0, and takes it: 0 is there afterwards. */
export function take(label: string, array: SharedArray, index: number): number {
  const model = current();
  const cell = model.memory.cell(array, index);
  return step({
    label,
    enabled: () => model.memory.read(cell) !== 0,
    run: () => {
      const value = model.memory.read(cell);
      model.store(cell, 0);
      return value;
    },
  }) as number;
}

/** Runs all interleavings of `model`, perhaps with a mistake planted. @throws Finding */
export async function explore(model: Model, plant: Plant = () => ({})): Promise<Explored> {
  const usual = { Atomics, setImmediate, now: performance.now.bind(performance) };
  const begin = (): void => {
    Object.assign(globalThis, { Atomics: { ...calls, ...plant(calls) } });
  };
  explorer = new Explorer({ ...model, begin });
  const calls = atomicCalls();
  Object.assign(globalThis, {
    // A turn of the event loop: nothing of a model happens in it.
    setImmediate: (next: () => void) => {
      queueMicrotask(next);
    },
  });
  performance.now = () => 0;
  try {
    return await explorer.explore();
  } finally {
    Object.assign(globalThis, { Atomics: usual.Atomics, setImmediate: usual.setImmediate });
    performance.now = usual.now;
    explorer = undefined;
  }
}

/** What is behind a watched array. */
const targets = new WeakMap<object, SharedArray>();

/**
 * `array` with its plain accesses as steps: `racy` ones, or such as are under a lock. Plain stores are seen by others late.
 */
export function watched<T extends SharedArray>(array: T, kind: "racy" | "locked"): T {
  const proxy = new Proxy(array, {
    get(target, key) {
      const index = typeof key === "string" ? Number(key) : NaN;
      if (Number.isInteger(index)) return plainLoad(target, index, kind);
      if (key === "subarray") return (from: number, to?: number) => watched(target.subarray(from, to), kind);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
    set(target, key, value: number) {
      plainStore(target, Number(key), value, kind);
      return true;
    },
  });
  targets.set(proxy, array);
  return proxy;
}

/** An arena over `buffer` whose arrays are watched. */
export function watchedArena(buffer: SharedArrayBuffer, kind: "racy" | "locked"): SharedArena {
  const arena = new SharedArena(buffer);
  const plain = {
    int32: arena.int32.bind(arena),
    uint8: arena.uint8.bind(arena),
    float64: arena.float64.bind(arena),
  };
  return Object.assign(arena, {
    int32: (length: number) => watched(plain.int32(length), kind),
    uint8: (length: number) => watched(plain.uint8(length), kind),
    float64: (length: number) => watched(plain.float64(length), kind),
  });
}

function current(): Explorer {
  if (explorer === undefined) throw new Error("There is no model");
  return explorer;
}

function plainLoad(array: SharedArray, index: number, kind: "racy" | "locked"): number {
  const model = explorer;
  // A thread is made ready before the model begins.
  if (model === undefined) return array[index] ?? 0;
  const cell = model.memory.cell(array, index);
  const label = `read ${cell.id}`;
  return step({
    label,
    quiet: kind === "locked",
    reads: cell,
    passesStores: true,
    run: () => model.load(cell),
  }) as number;
}

function plainStore(array: SharedArray, index: number, value: number, kind: "racy" | "locked"): void {
  const model = explorer;
  if (model === undefined) {
    array[index] = value;
    return;
  }
  const cell = model.memory.cell(array, index);
  step({
    label: `write ${cell.id} = ${value}`,
    quiet: kind === "locked",
    passesStores: true,
    run: () => {
      // Whoever holds a lock lets go of it by an atomic store, which the others are behind.
      if (kind === "locked") model.store(cell, value);
      else model.buffer(cell, value);
      return 0;
    },
  });
}

function atomicCalls(): AtomicCalls {
  const model = current();
  const { memory } = model;
  const cellOf = (array: SharedArray, index: number) => memory.cell(targets.get(array) ?? array, index);
  /** Reads a word and puts what `next` makes of it in its place. */
  function update(name: string, next: (old: number, value: number) => number): AtomicCalls["add"] {
    return (array, index, value) => {
      const cell = cellOf(array, index);
      return step({
        label: `${name} ${cell.id}, ${value}`,
        run: () => {
          const old = memory.read(cell);
          model.store(cell, next(old, value));
          return old;
        },
      }) as number;
    };
  }
  const exchange = update("exchange", (_, value) => value);
  return {
    exchange,
    add: update("add", (old, value) => old + value),
    sub: update("sub", (old, value) => old - value),
    or: update("or", (old, value) => old | value),
    and: update("and", (old, value) => old & value),
    store(array, index, value) {
      exchange(array, index, value);
      return value;
    },
    load(array, index) {
      const cell = cellOf(array, index);
      return step({ label: `load ${cell.id}`, reads: cell, passesStores: true, run: () => model.load(cell) }) as number;
    },

    compareExchange(array, index, expected, value) {
      const cell = cellOf(array, index);
      return step({
        label: `compareExchange ${cell.id}, ${expected}, ${value}`,
        run: () => {
          const old = memory.read(cell);
          if (old === expected) model.store(cell, value);
          return old;
        },
        fruitless: (result) => result !== expected,
      }) as number;
    },
    wait(array, index, value) {
      const cell = cellOf(array, index);
      return step({
        label: `wait ${cell.id}, ${value}`,
        // Time stands still: what only a timeout saves is a finding.
        run: () => (memory.read(cell) === value ? { sleepsOn: cell } : "not-equal"),
      }) as string;
    },
    notify(array, index, count = Infinity) {
      const cell = cellOf(array, index);
      return step({ label: `notify ${cell.id}`, run: () => model.wake(cell, count) }) as number;
    },
    plainStore(array, index, value) {
      plainStore(targets.get(array) ?? array, index, value, "racy");
      return value;
    },
    overtakingStore(array, index, value) {
      const cell = cellOf(array, index);
      const run = (): number => {
        model.store(cell, value);
        return value;
      };
      return step({ label: `store ${cell.id}, ${value}, first`, passesStores: true, run }) as number;
    },
  };
}
