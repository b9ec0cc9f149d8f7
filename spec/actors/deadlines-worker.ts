/** Arms a deadline again and again, as soon as the last one has been taken. */
import { workerData } from "node:worker_threads";
import { Deadlines } from "../../actors/deadlines.js";
import { SharedArena } from "../../shared/arena.js";

const { buffer, bell, rounds } = workerData as {
  readonly buffer: SharedArrayBuffer;
  readonly bell: Int32Array<SharedArrayBuffer>;
  readonly rounds: number;
};
const deadlines = new Deadlines(new SharedArena(buffer), 1, () => {
  Atomics.store(bell, 0, 1);
  Atomics.notify(bell, 0);
});

for (let round = 0; round < rounds; round++) {
  deadlines.arm(0, round);
  while (deadlines.get(0) !== Infinity);
}
