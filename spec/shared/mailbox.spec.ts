import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { Mailbox } from "../../shared/mailbox.js";

const ROUNDS = 5000;
/** Longer than the specs may take: a sleep that only its time ends is a lost wake-up. */
const FOR_EVER_MS = 60_000;

function shared(length: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4 * length));
}

interface Other {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly numbers: Int32Array<SharedArrayBuffer>;
  readonly bit: number;
  readonly rounds: number;
}

/** Resolves when mailbox-worker.ts has done its rounds. */
async function ended(workerData: Other): Promise<void> {
  const worker = new Worker(new URL("mailbox-worker.js", import.meta.url), { workerData });
  await new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("exit", resolve);
  });
}

describe("Mailbox", () => {
  it("gives the bits posted since the last time, once", () => {
    const mailbox = new Mailbox(shared(2));
    assert.equal(mailbox.take(), 0);
    mailbox.post(0b001);
    mailbox.post(0b100);
    mailbox.post(0b001);
    assert.equal(mailbox.take(), 0b101);
    assert.equal(mailbox.take(), 0);
  });

  it("does not sleep while bits wait, and leaves them there", () => {
    const mailbox = new Mailbox(shared(2));
    mailbox.post(2);
    assert.equal(mailbox.wait(FOR_EVER_MS), true);
    assert.equal(mailbox.wait(FOR_EVER_MS), true);
    assert.equal(mailbox.take(), 2);
  });

  it("does not sleep when it was woken since the last time, and only then", () => {
    const mailbox = new Mailbox(shared(2));
    mailbox.wake();
    mailbox.wake();
    assert.equal(mailbox.wait(FOR_EVER_MS), false);
    const start = performance.now();
    assert.equal(mailbox.wait(20), false);
    assert(performance.now() - start >= 19);
  });

  it("needs two words", () => {
    assert.throws(() => new Mailbox(shared(1)), RangeError);
  });

  it("loses no wake-up between threads", async function () {
    this.timeout(30_000);
    const words = shared(2);
    const numbers = shared(2);
    const mailbox = new Mailbox(words);
    const other = ended({ words, numbers, bit: 0, rounds: ROUNDS });
    // The worker starts while this thread sleeps in the mailbox: its event loop need not turn for that.
    for (let seen = 0; seen < ROUNDS;) {
      assert.equal(mailbox.wait(FOR_EVER_MS), false);
      seen = Atomics.load(numbers, 0);
      Atomics.store(numbers, 1, seen);
      Atomics.notify(numbers, 1);
    }
    await other;
    assert.equal(Atomics.load(numbers, 0), ROUNDS);
  });

  it("loses no request of several threads", async function () {
    this.timeout(30_000);
    const words = shared(2);
    const mailbox = new Mailbox(words);
    const rounds = ROUNDS / 5;
    const counts = [0, 0, 0];
    const others = counts.map((_, i) => ended({ words, numbers: shared(2), bit: 1 << i, rounds }));
    while (counts.some((count) => count < rounds)) {
      mailbox.wait(FOR_EVER_MS);
      const bits = mailbox.take();
      counts.forEach((count, i) => {
        if ((bits & (1 << i)) !== 0) counts[i] = count + 1;
      });
    }
    await Promise.all(others);
    assert.deepEqual(counts, [rounds, rounds, rounds]);
  });
});
