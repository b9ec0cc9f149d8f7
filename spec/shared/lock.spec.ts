import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { Lock } from "../../shared/lock.js";

const THREADS = 4;
const ROUNDS = 20_000;

interface Shared {
  readonly word: Int32Array<SharedArrayBuffer>;
  readonly counter: Int32Array<SharedArrayBuffer>;
}

function shared(): Shared {
  return { word: new Int32Array(new SharedArrayBuffer(4)), counter: new Int32Array(new SharedArrayBuffer(8)) };
}

/** Runs lock-worker.ts in `THREADS` threads until all have ended. */
async function inThreads(parts: Shared, rounds: number): Promise<void> {
  await Promise.all(
    Array.from({ length: THREADS }, async () => {
      const worker = new Worker(new URL("lock-worker.js", import.meta.url), { workerData: { ...parts, rounds } });
      await new Promise((resolve, reject) => {
        worker.once("error", reject);
        worker.once("exit", resolve);
      });
    }),
  );
}

describe("Lock", () => {
  it("is taken and given back without a system call when nobody competes", () => {
    const { word } = shared();
    const lock = new Lock(word);
    lock.acquire();
    assert.equal(word[0], 1);
    lock.release();
    assert.equal(word[0], 0);
  });

  it("is held for an action, and free after it, also when that fails", () => {
    const { word } = shared();
    const lock = new Lock(word);
    assert.equal(
      lock.hold(() => word[0]),
      1,
    );
    assert.equal(word[0], 0);
    assert.throws(() => {
      lock.hold(() => {
        throw new RangeError("no");
      });
    }, RangeError);
    assert.equal(word[0], 0);
  });

  it("lets one thread at a time in, and wakes every one that waits", async () => {
    // A lost wake-up would leave a worker asleep, and this spec waiting for its time limit.
    const parts = shared();
    await inThreads(parts, ROUNDS);
    assert.deepEqual([...parts.counter], [THREADS * ROUNDS, 0]);
    assert.equal(parts.word[0], 0);
  });

  it("wakes a thread that has gone to sleep on it", async () => {
    const parts = shared();
    const lock = new Lock(parts.word);
    lock.acquire();
    const ended = inThreads(parts, 1);
    // 2: somebody may wait.
    while (Atomics.load(parts.word, 0) !== 2) await new Promise((resolve) => setTimeout(resolve, 1));
    lock.release();
    await ended;
    assert.deepEqual([...parts.counter], [THREADS, 0]);
  });
});
