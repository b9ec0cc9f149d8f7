import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { BOARD_DEADLINES, BoardDeadline, deadlineCount, Deadlines } from "../../actors/deadlines.js";
import { timerDeadline, upcallDeadline } from "../../actors/deadlines.js";
import { SharedArena } from "../../shared/arena.js";

function made(count = 4): { readonly deadlines: Deadlines; readonly rings: () => number } {
  let rings = 0;
  const deadlines = new Deadlines(new SharedArena(new SharedArrayBuffer(1024)), count, () => {
    rings++;
  });
  deadlines.reset();
  return { deadlines, rings: () => rings };
}

describe("Deadlines", () => {
  it("says until when there is nothing to do", () => {
    const { deadlines } = made();
    assert.equal(deadlines.sleepUntil(), Infinity);
    deadlines.arm(1, 500);
    deadlines.arm(2, 300);
    assert.equal(deadlines.sleepUntil(), 300);
    deadlines.arm(2, Infinity);
    assert.equal(deadlines.sleepUntil(), 500);
  });

  it("takes what is due, once, and leaves the rest", () => {
    const { deadlines } = made();
    deadlines.arm(0, 100);
    deadlines.arm(1, 200);
    deadlines.arm(2, 201);
    const due: number[] = [];
    const note = (index: number): void => {
      due.push(index);
    };
    deadlines.expire(200, note);
    deadlines.expire(200, note);
    assert.deepEqual(due, [0, 1]);
    assert.deepEqual(
      [0, 1, 2].map((index) => deadlines.get(index)),
      [Infinity, Infinity, 201],
    );
  });

  it("keeps what a handler arms again, even in the past", () => {
    const { deadlines } = made();
    deadlines.arm(0, 100);
    deadlines.expire(1000, () => {
      deadlines.arm(0, 200);
    });
    assert.equal(deadlines.sleepUntil(), 200);
  });

  it("rings a sleeper for an earlier deadline only", () => {
    const { deadlines, rings } = made();
    deadlines.arm(0, 1000);
    deadlines.sleepUntil();
    deadlines.arm(1, 2000);
    deadlines.arm(2, 1000);
    assert.equal(rings(), 0);
    deadlines.arm(3, 999);
    assert.equal(rings(), 1);
  });

  it("does not ring who is awake", () => {
    const { deadlines, rings } = made();
    deadlines.sleepUntil();
    deadlines.awake();
    deadlines.arm(0, 1);
    assert.equal(rings(), 0);
    assert.equal(deadlines.sleepUntil(), 1);
  });

  it("loses no deadline that another thread arms while we fall asleep", async () => {
    // The worker arms deadline 0 and waits for us to take it; a lost one would leave both waiting for the time limit.
    const buffer = new SharedArrayBuffer(1024);
    const bell = new Int32Array(new SharedArrayBuffer(4));
    const rounds = 3000;
    const deadlines = new Deadlines(new SharedArena(buffer), 1, () => undefined);
    deadlines.reset();
    const worker = new Worker(new URL("deadlines-worker.js", import.meta.url), {
      workerData: { buffer, bell, rounds },
    });
    const ended = new Promise((resolve, reject) => {
      worker.once("exit", resolve);
      worker.once("error", reject);
    });
    let now = 0;
    for (let taken = 0; taken < rounds;) {
      deadlines.awake();
      deadlines.expire(now, () => {
        taken++;
      });
      const until = deadlines.sleepUntil();
      // Sleeping without a deadline ends by the bell alone.
      if (until === Infinity && taken < rounds) assert.notEqual(Atomics.wait(bell, 0, 0, 5000), "timed-out");
      Atomics.store(bell, 0, 0);
      now += 10;
    }
    await ended;
  });

  it("has a place for each chip, each vCPU's timer and each vCPU's upcall", () => {
    const vcpus = 3;
    const places = [
      ...Object.values(BoardDeadline),
      ...[0, 1, 2].map(timerDeadline),
      ...[0, 1, 2].map((vcpu) => upcallDeadline(vcpu, vcpus)),
    ];
    assert.deepEqual(
      places,
      Array.from({ length: deadlineCount(vcpus) }, (_, i) => i),
    );
    assert.equal(timerDeadline(0), BOARD_DEADLINES);
  });
});
