/** shared/lock.ts in every interleaving. */
import assert from "node:assert/strict";
import { Lock } from "../../shared/lock.js";
import type { Explored } from "./explorer.js";
import { explore } from "./instruments.js";
import type { Plant } from "./instruments.js";

const LOCK = 0;
const INSIDE = 1;
const CONTENDED = 2;

/** Threads take the lock as many times as it says of each. */
async function contend(times: readonly number[], plant?: Plant): Promise<Explored> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  function thread(): void {
    const lock = new Lock(words.subarray(LOCK, LOCK + 1));
    lock.acquire();
    assert.equal(Atomics.add(words, INSIDE, 1), 0, "two hold the lock");
    Atomics.sub(words, INSIDE, 1);
    lock.release();
  }
  const named = Object.fromEntries(
    times.map((count, i) => [`thread ${i}`, Array.from({ length: count }, () => thread)]),
  );
  return explore(
    {
      threads: named,
      check: ({ ended }) => {
        assert(!ended.includes(false), "a thread sleeps for ever");
        assert.equal(words[LOCK], 0, "the lock is free in the end");
      },
    },
    plant,
  );
}

describe("Lock, in every interleaving", () => {
  it("is held by one, and wakes who waits: 2 threads, 3 times each", async () => {
    const { interleavings } = await contend([3, 3]);
    assert(interleavings > 1_000_000n, `${interleavings}`);
  });

  it("is held by one, and wakes who waits: 3 threads", async () => {
    const { interleavings } = await contend([1, 1, 1]);
    assert(interleavings > 1_000_000n, `${interleavings}`);
  });

  it("is found out when its release wakes nobody", async () => {
    await assert.rejects(
      contend([1, 1], () => ({ notify: () => 0 })),
      /sleeps for ever/,
    );
  });

  it("is found out when a waiter takes it without saying that others may wait: with 3 threads alone", async () => {
    // Drepper's first mutex: after a wake-up the word says HELD.
    const plant: Plant = ({ exchange }) => ({
      exchange: (array, index, value) => exchange(array, index, index === LOCK && value === CONTENDED ? 1 : value),
      wait: () => "ok",
    });
    await assert.rejects(contend([1, 1, 1], plant));
  });

  it("is found out when its release is a plain store behind the look", async () => {
    const plant: Plant = ({ load, plainStore, exchange }) => ({
      exchange(array, index, value) {
        if (value !== 0) return exchange(array, index, value);
        const old = load(array, index);
        plainStore(array, index, value);
        return old;
      },
    });
    await assert.rejects(contend([1, 1], plant), /sleeps for ever/);
  });
});
