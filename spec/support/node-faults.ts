/** Makes calls of Node's own fail in this thread: files, threads, memory. What libc.ts does not see. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";

/** Calls of node:fs by which a machine gets at its files. */
export const FILE_CALLS = ["openSync", "fstatSync", "readSync", "closeSync"] as const;
export type FileCall = (typeof FILE_CALLS)[number];

interface Replaced {
  /** How often it was called. */
  calls: number;
  readonly restore: () => void;
}

type Module = Record<string, unknown>;
type Call = (...args: readonly unknown[]) => unknown;

/** Has the `nth` call of `name` throw what `fail` gives, after it has done its work when `late` is said. */
function replace(module: Module, name: string, make: (real: never, count: () => number) => unknown): Replaced {
  const real = module[name];
  const replaced: Replaced = {
    calls: 0,
    restore: () => {
      module[name] = real;
      syncBuiltinESMExports();
    },
  };
  module[name] = make(real as never, () => ++replaced.calls);
  syncBuiltinESMExports();
  return replaced;
}

/**
 * The `nth` call of `name` from 1 on fails with `code`. A failing close closes all the same, as Linux does. `nth` 0: none
 * fails, all are counted.
 */
export function failFileCall(name: FileCall, nth: number, code: string): Replaced {
  return replace(fs, name, (real: Call, count) => (...args: readonly unknown[]) => {
    if (count() !== nth) return real(...args);
    if (name === "closeSync") real(...args);
    throw Object.assign(new Error(`${code}: injected, ${name}`), { code, syscall: name });
  });
}

/** The `nth` worker thread from 1 on cannot be started, as when the host has no room for it. */
export function failThreadStart(nth: number): Replaced {
  return replace(
    threads,
    "Worker",
    (Real: typeof threads.Worker, count) =>
      class Worker extends Real {
        constructor(...args: ConstructorParameters<typeof threads.Worker>) {
          if (count() === nth) {
            throw Object.assign(new Error("Worker initialization failure: EAGAIN"), { code: "ERR_WORKER_INIT_FAILED" });
          }
          super(...args);
        }
      },
  );
}

/** The `nth` shared memory from 1 on cannot be had. */
export function failAllocation(nth: number): Replaced {
  return replace(
    WebAssembly,
    "Memory",
    (Real: new (descriptor: unknown) => object, count) =>
      class Memory extends Real {
        constructor(descriptor: unknown) {
          if (count() === nth) throw new RangeError("WebAssembly.Memory(): could not allocate memory");
          super(descriptor);
        }
      },
  );
}
