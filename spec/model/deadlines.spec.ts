/** actors/deadlines.ts and the device actor's sleep in every interleaving: who arms a deadline is not slept over. */
import assert from "node:assert/strict";
import { Deadlines } from "../../actors/deadlines.js";
import { Doorbell } from "../../actors/host/eventfd.js";
import { SharedArena } from "../../shared/arena.js";
import type { Explored } from "./explorer.js";
import { ModelHost } from "./host.js";
import { explore, step, watched, watchedArena } from "./instruments.js";
import type { Plant } from "./instruments.js";

const BELL = 0;
const DEADLINES = 2;
/** When the device actor sleeps until: the last that it said, in a word of its own. */
const UNTIL = 0;
const ARENA_BYTES = 256;

/** Threads arm deadlines at these times, one each after the other; the device actor sleeps and wakes beside them. */
async function arm(times: readonly (readonly number[])[], plant?: Plant): Promise<Explored> {
  const host = new ModelHost();
  const buffer = new SharedArrayBuffer(ARENA_BYTES);
  const rung = new Int32Array(new SharedArrayBuffer(4));
  const sleep = new Float64Array(new SharedArrayBuffer(8));
  new Deadlines(new SharedArena(buffer), DEADLINES, () => undefined).reset();
  function thread(): { readonly bell: Doorbell; readonly deadlines: Deadlines } {
    const { libc, scratch } = host.thread();
    const bell = new Doorbell(libc, scratch, BELL, rung);
    const deadlines = new Deadlines(watchedArena(buffer, "racy"), DEADLINES, () => {
      bell.ring();
    });
    return { bell, deadlines };
  }
  /** A turn of the device actor's loop: answer, `beforeSleep`, sleep. Once more than it can be rung. */
  function turn(): void {
    const { bell, deadlines } = thread();
    deadlines.awake();
    const until = deadlines.sleepUntil();
    watched(sleep, "locked")[UNTIL] = until;
    step({ label: `ppoll until ${until}`, enabled: () => (host.counters[BELL] ?? 0) !== 0, run: () => 0 });
    bell.answer();
  }
  const total = times.flat().length;
  const armers = times.map((own, index) => {
    const program = own.map((ns) => () => {
      thread().deadlines.arm(index, ns);
    });
    return [`armer ${index}`, program] as const;
  });
  const earliest = Math.min(...times.map((own) => own.at(-1) ?? Infinity));
  return explore(
    {
      threads: { device: Array.from({ length: total + 1 }, () => turn), ...Object.fromEntries(armers) },
      check: ({ ended }) => {
        assert.equal(ended.slice(1).includes(false), false, "who arms waits for ever");
        assert.equal(ended[0], false, "the device actor was rung once too often");
        assert((sleep[UNTIL] ?? 0) <= earliest, `the device actor sleeps until ${sleep[UNTIL] ?? 0}, not ${earliest}`);
      },
    },
    plant,
  );
}

const OVERSLEPT = /the device actor sleeps until/;

describe("Deadlines, in every interleaving", () => {
  it("are not slept over: one thread that arms twice", async () => {
    const { interleavings } = await arm([[20, 10]]);
    assert(interleavings > 1000n, `${interleavings}`);
  });

  it("are not slept over: two threads", async () => {
    const { interleavings } = await arm([[20], [10]]);
    assert(interleavings > 100_000n, `${interleavings}`);
  });

  it("are found out when nothing comes between a store and the look at the other side's", async () => {
    await assert.rejects(
      arm([[20, 10]], ({ load }) => ({ add: (array, index) => load(array, index) })),
      OVERSLEPT,
    );
  });
});
