import assert from "node:assert/strict";
import { MachineClock, monotonicNs } from "../../actors/machine-clock.js";
import { SharedArena } from "../../shared/arena.js";

function clock(buffer = new SharedArrayBuffer(256)): MachineClock {
  return new MachineClock(new SharedArena(buffer));
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

describe("monotonicNs()", () => {
  it("is CLOCK_MONOTONIC, to well below a millisecond", () => {
    const before = Number(process.hrtime.bigint());
    const now = monotonicNs();
    const after = Number(process.hrtime.bigint());
    assert(now > before - 200_000 && now < after + 200_000);
  });
});

describe("MachineClock", () => {
  it("stands at 0 until it is started", async () => {
    const time = clock();
    time.reset();
    await sleep(2);
    assert.deepEqual([time.running, time.nowNs()], [false, 0]);
  });

  it("stands still while stopped, and goes on from there", async () => {
    const time = clock();
    time.reset();
    time.start();
    await sleep(3);
    time.stop();
    const stopped = time.nowNs();
    assert(stopped >= 2e6);
    await sleep(20);
    assert.equal(time.nowNs(), stopped);
    time.start();
    const resumed = time.nowNs();
    assert(resumed >= stopped && resumed < stopped + 15e6);
  });

  it("shows all threads the same time", () => {
    const buffer = new SharedArrayBuffer(256);
    const [one, other] = [clock(buffer), clock(buffer)];
    one.reset();
    one.start();
    assert.equal(other.running, true);
    const difference = other.nowNs() - one.nowNs();
    assert(Math.abs(difference) < 5e6);
  });

  it("is not set back by a second start", async () => {
    const time = clock();
    time.reset();
    time.start();
    await sleep(3);
    time.start();
    assert(time.nowNs() >= 2e6);
  });
});
