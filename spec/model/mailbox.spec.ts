/** shared/mailbox.ts in every interleaving: a poster, one who only wakes, and the owner. */
import assert from "node:assert/strict";
import { Mailbox } from "../../shared/mailbox.js";
import type { Explored } from "./explorer.js";
import { explore } from "./instruments.js";
import type { Plant } from "./instruments.js";

const BELL = 1;
/** Bits that posters set, and what is found elsewhere than in the bits. */
const BITS = [1, 2];
const ELSEWHERE = Mailbox.WORDS;
const TAKEN = Mailbox.WORDS + 1;
/** What the owner waits for: both bits, and what is elsewhere. */
const ALL = 0b111;

async function deliver(plant?: Plant): Promise<Explored> {
  const words = new Int32Array(new SharedArrayBuffer(16));
  const mailbox = (): Mailbox => new Mailbox(words.subarray(0, Mailbox.WORDS));
  /** Sleeps, and looks at both places, until it has had all. */
  function owner(): void {
    const own = mailbox();
    let had = 0;
    while (had !== ALL) {
      own.wait(Infinity);
      had |= own.take();
      if (Atomics.load(words, ELSEWHERE) === 1) had |= 4;
    }
    Atomics.store(words, TAKEN, had);
  }
  const poster = BITS.map((bit) => () => {
    mailbox().post(bit);
  });
  function waker(): void {
    Atomics.store(words, ELSEWHERE, 1);
    mailbox().wake();
  }
  return explore(
    {
      threads: { owner, poster, waker },
      check: ({ ended }) => {
        assert(!ended.includes(false), "the owner sleeps for ever");
        assert.equal(words[TAKEN], ALL);
      },
    },
    plant,
  );
}

describe("Mailbox, in every interleaving", () => {
  it("loses neither a post nor a wake-up", async () => {
    const { interleavings } = await deliver();
    assert(interleavings > 10_000n, `${interleavings}`);
  });

  it("is found out when the owner silences the bell before it sleeps", async () => {
    const plant: Plant = ({ wait, store }) => ({
      wait(array, index, value, timeoutMs) {
        store(array, index, 0);
        return wait(array, index, value, timeoutMs);
      },
    });
    await assert.rejects(deliver(plant), /sleeps for ever/);
  });

  it("is found out when the bell is silenced after the look", async () => {
    // The store that silences comes only with the next load of the requests that is a take().
    const plant: Plant = ({ store, exchange }) => ({
      store: (array, index, value) => (index === BELL && value === 0 ? value : store(array, index, value)),
      exchange(array, index, value) {
        const old = exchange(array, index, value);
        if (index === 0) store(array, BELL, 0);
        return old;
      },
    });
    await assert.rejects(deliver(plant));
  });
});
