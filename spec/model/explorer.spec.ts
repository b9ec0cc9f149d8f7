/** The explorer itself: it misses no order, knows x86's store buffers, and tells what went wrong. */
import assert from "node:assert/strict";
import { Finding } from "./explorer.js";
import type { Ending } from "./explorer.js";
import { explore, take, watched } from "./instruments.js";

describe("The explorer of interleavings", () => {
  let words: Int32Array<SharedArrayBuffer>;

  beforeEach(() => {
    words = new Int32Array(new SharedArrayBuffer(64));
  });

  function times(count: number, action: () => void): () => void {
    return () => {
      for (let i = 0; i < count; i++) action();
    };
  }

  it("runs 2 threads of 2 steps in 6 orders, 3 of 3 in 1680", async () => {
    const add = times(2, () => Atomics.add(words, 0, 1));
    const two = await explore({ threads: { a: add, b: add }, check: () => undefined });
    assert.equal(two.interleavings, 6n);
    const more = times(3, () => Atomics.add(words, 0, 1));
    const three = await explore({ threads: { a: more, b: more, c: more }, check: () => undefined });
    assert.equal(three.interleavings, 1680n);
  });

  it("takes no look for a step where no other thread writes", async () => {
    const look = (own: number) => () => {
      Atomics.load(words, 2);
      Atomics.add(words, 0, 1);
      Atomics.store(words, own, Atomics.load(words, own) + 1);
    };
    const { interleavings } = await explore({ threads: { a: look(3), b: look(4) }, check: () => undefined });
    assert.equal(interleavings, 6n);
  });

  it("finds the lost update of a load and a store, and tells the order of it", async () => {
    const increment = (): number => Atomics.store(words, 0, Atomics.load(words, 0) + 1);
    const check = (): void => {
      assert.equal(words[0], 2);
    };
    await assert.rejects(
      explore({ threads: { a: increment, b: increment }, check }),
      (error: unknown) => error instanceof Finding && error.steps.length === 4,
    );
  });

  it("leaves memory as it was", async () => {
    const add = times(2, () => Atomics.add(words, 0, 1));
    await explore({ threads: { a: add, b: add }, check: () => undefined });
    assert.equal(words[0], 0);
  });

  it("lets a plain store pass a load of another word, as x86 does, and an atomic one not", async () => {
    async function bothSeeNothing(store: (index: number) => void): Promise<boolean> {
      let seen = false;
      const thread = (own: number, other: number) => () => {
        store(own);
        return Atomics.load(words, other);
      };
      const check = ({ values }: Ending): void => {
        if (String(values) === "0,0") seen = true;
      };
      await explore({ threads: { a: thread(0, 1), b: thread(1, 0) }, check });
      return seen;
    }
    assert.equal(await bothSeeNothing((index) => (watched(words, "racy")[index] = 1)), true);
    assert.equal(await bothSeeNothing((index) => Atomics.store(words, index, 1)), false);
  });

  it("shows a thread its own stores, and others its stores in order", async () => {
    const seen = new Set<string>();
    await explore({
      threads: {
        writer: () => {
          const plain = watched(words, "racy");
          plain[0] = 1;
          plain[1] = plain[0] + 1;
        },
        reader: () => [Atomics.load(words, 1), Atomics.load(words, 0)],
      },
      check: ({ values }) => seen.add(String(values[1])),
    });
    assert.deepEqual([...seen].sort(), ["0,0", "0,1", "2,1"]);
  });

  it("wakes who sleeps, and sees who is not woken", async () => {
    const sleeper = (): string => Atomics.wait(words, 0, 0);
    const threads = { sleeper, waker: () => Atomics.notify(words, 0) };
    const endings = new Set<string>();
    await explore({ threads, check: ({ ended }) => endings.add(String(ended)) });
    assert.deepEqual([...endings].sort(), ["false,true", "true,true"]);
  });

  it("takes an exception in a thread for a finding", async () => {
    const thrown = (): void => {
      if (Atomics.load(words, 0) === 1) throw new Error("seen");
    };
    const threads = { thrown, setter: () => Atomics.store(words, 0, 1) };
    await assert.rejects(explore({ threads, check: () => undefined }), /^Finding: seen\n {2}setter: exchange/);
  });

  it("sees a loop that does not end", async () => {
    const forever = (): never => {
      for (;;) Atomics.add(words, 0, 1);
    };
    await assert.rejects(explore({ threads: { forever }, check: () => undefined }), /do not come to an end/);
  });

  it("follows code that waits for turns of the event loop", async () => {
    async function turning(): Promise<number> {
      await new Promise((resolve) => setImmediate(resolve));
      return take("take", words, 0);
    }
    const threads = { turning, setter: () => Atomics.store(words, 0, 7) };
    await explore({
      threads,
      check: ({ values }) => {
        assert.deepEqual(values[0], [7]);
      },
    });
  });
});
