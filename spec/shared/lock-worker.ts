/** Counts under a lock, in two plain steps that a second thread in between would spoil. */
import assert from "node:assert/strict";
import { workerData } from "node:worker_threads";
import { Lock } from "../../shared/lock.js";

const { word, counter, rounds } = workerData as {
  readonly word: Int32Array<SharedArrayBuffer>;
  readonly counter: Int32Array<SharedArrayBuffer>;
  readonly rounds: number;
};
const lock = new Lock(word);

for (let i = 0; i < rounds; i++) {
  lock.acquire();
  // [1] says that somebody is inside.
  assert.equal(counter[1], 0);
  counter[1] = 1;
  counter[0] = (counter[0] ?? 0) + 1;
  counter[1] = 0;
  lock.release();
}
