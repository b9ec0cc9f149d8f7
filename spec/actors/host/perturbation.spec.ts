import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { holdUpAtomics, holdUpBy, isSlow, perturbedLibc, perturbThreads } from "../../../actors/host/perturbation.js";

/** <asm/unistd_64.h> */
const SCHED_YIELD = 24;

const silent = { fast: () => 0, syscall: () => 0 };

/** Some words, in bytes from their buffer's start. */
const WORDS = Array.from({ length: 4096 }, (_, word) => word * 4);
const slowOnes = (seed: number): readonly number[] => WORDS.filter((place) => isSlow(seed, place));

/** At which of 500 operations on a word an actor gives its processor away. */
function yields(seed: number, place: number, actor = "vcpu0"): readonly number[] {
  const at: number[] = [];
  let now = 0;
  const holdUp = holdUpBy(seed, actor, { fast: (nr) => (assert.equal(nr, SCHED_YIELD), at.push(now)) });
  for (; now < 500; now++) holdUp(place);
  return at;
}

describe("holdUpBy()", () => {
  it("holds up at the same operations by the same seed, at others by another and in another actor", () => {
    assert.deepEqual(yields(1, 0), yields(1, 0));
    assert.notDeepEqual(yields(1, 0), yields(2, 0));
    assert.notDeepEqual(yields(1, 0), yields(1, 0, "vcpu1"));
  });

  it("does so seldom, but at slow places often", () => {
    const usual = WORDS.find((place) => !isSlow(1, place)) ?? NaN;
    const [slow = NaN] = slowOnes(1);
    const [seldom, often] = [yields(1, usual).length, yields(1, slow).length];
    assert(seldom > 0 && seldom < 30 && often > 40 && often < 200, `${seldom}, ${often}`);
  });
});

describe("isSlow()", () => {
  it("takes one place in eight, others by another seed", () => {
    for (const seed of [1, 2, 0xffff_ffff]) {
      const share = slowOnes(seed).length / WORDS.length;
      assert(share > 0.08 && share < 0.17, `${seed}: ${share}`);
    }
    const first = new Set(slowOnes(1));
    assert(slowOnes(2).filter((place) => first.has(place)).length < first.size / 2);
  });
});

describe("holdUpAtomics()", () => {
  it("goes before each operation, which does what it did", () => {
    const atomics = Object.fromEntries(
      Object.getOwnPropertyNames(Atomics).map((name) => [name, Reflect.get(Atomics, name)]),
    ) as unknown as typeof Atomics;
    const places: number[] = [];
    holdUpAtomics(atomics, (place) => places.push(place));
    const words = new Int32Array(new SharedArrayBuffer(16), 8);
    assert.equal(atomics.compareExchange(words, 1, 0, 5), 0);
    assert.equal(atomics.add(words, 1, 2), 5);
    assert.equal(atomics.load(words, 1), 7);
    assert.equal(atomics.wait(words, 1, 6), "not-equal");
    assert.equal(atomics.wait(words, 1, 7, 1), "timed-out");
    assert.equal(atomics.notify(words, 1), 0);
    assert.equal(atomics.exchange(new BigInt64Array(words.buffer), 1, 9n), 7n << 32n);
    assert.deepEqual(places, [12, 12, 12, 12, 12, 12, 8]);
  });
});

describe("perturbedLibc()", () => {
  it("leaves the program's own thread alone", () => {
    perturbThreads(1);
    try {
      const { load } = Atomics;
      assert.equal(perturbedLibc(silent, "machine"), silent);
      assert.equal(Atomics.load, load);
    } finally {
      perturbThreads(undefined);
    }
  });

  /** Whether a worker's libc and Atomics are as they were. */
  async function untouched(): Promise<unknown> {
    const module = new URL("../../../actors/host/perturbation.js", import.meta.url);
    const source = `import(${JSON.stringify(module.href)}).then(({ perturbedLibc }) => {
      const libc = { fast: () => 0, syscall: () => 0 };
      const { load } = Atomics;
      const same = perturbedLibc(libc, "vcpu0") === libc && Atomics.load === load;
      require("node:worker_threads").parentPort.postMessage(same);
    })`;
    const worker = new Worker(source, { eval: true });
    const [same] = (await once(worker, "message")) as [unknown];
    await once(worker, "exit");
    return same;
  }

  it("takes both into its hands in threads that start while there is a seed", async () => {
    perturbThreads(1);
    try {
      assert.equal(await untouched(), false);
    } finally {
      perturbThreads(undefined);
    }
    assert.equal(await untouched(), true);
  });
});
