import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Kicks } from "../../actors/kicks.js";
import { KvmRun } from "../../actors/host/exit.js";
import type { Libc } from "../../actors/host/libc.js";
import { SharedArena } from "../../shared/arena.js";
import { runOffset } from "../support/kvm-reference.js";

const AREA = 3 * 4096;
const SYS_TGKILL = 234;
/** A real-time signal that Node leaves alone. */
const SIGNAL = 42;

class Fixture {
  readonly calls: number[][] = [];
  readonly runs: readonly KvmRun[];
  readonly kicks: Kicks;
  readonly arena = new SharedArrayBuffer(4096);
  readonly areas = new SharedArrayBuffer(2 * AREA);
  /** Of the worker that plays a vCPU. */
  readonly state = new Int32Array(new SharedArrayBuffer(12));

  constructor() {
    this.runs = [0, 1].map((vcpu) => new KvmRun(this.areas, vcpu * AREA, AREA));
    this.kicks = this.another();
  }

  /** The same object in another thread. */
  another(): Kicks {
    const fast = (...args: number[]): number => this.calls.push(args);
    return new Kicks(new SharedArena(this.arena), { fast } as unknown as Libc, this.runs);
  }

  immediateExit(vcpu: number): number | undefined {
    return this.runs[vcpu]?.bytes[runOffset("immediateExit")];
  }
}

describe("Kicks", () => {
  it("leave requests for a vCPU that is outside the guest, without a signal", () => {
    const fixture = new Fixture();
    fixture.another().request(1, 0b101);
    assert.deepEqual(fixture.calls, []);
    // Whatever it does next, KVM_RUN will return at once.
    assert.deepEqual([fixture.immediateExit(0), fixture.immediateExit(1)], [0, 1]);
    assert.deepEqual([fixture.kicks.take(1), fixture.kicks.take(1), fixture.kicks.take(0)], [0b101, 0, 0]);
  });

  it("signal the thread of a vCPU that is inside", () => {
    const fixture = new Fixture();
    fixture.kicks.enlist(1, 4711);
    fixture.kicks.enter(1);
    fixture.another().request(1, 1);
    assert.deepEqual(fixture.calls, [[SYS_TGKILL, process.pid, 4711, SIGNAL]]);
    fixture.kicks.leave(1);
    fixture.another().request(1, 2);
    assert.equal(fixture.calls.length, 1);
    assert.equal(fixture.kicks.take(1), 3);
  });

  it("keep a request that comes between taking and entering", () => {
    const fixture = new Fixture();
    assert.equal(fixture.kicks.take(0), 0);
    fixture.another().request(0, 8);
    fixture.kicks.enter(0);
    assert.equal(fixture.immediateExit(0), 1);
    // KVM_RUN returns EINTR.
    fixture.kicks.leave(0);
    fixture.kicks.clear(0);
    assert.deepEqual([fixture.immediateExit(0), fixture.kicks.take(0)], [0, 8]);
  });

  it("reach all vCPUs at once, and none that is not there", () => {
    const fixture = new Fixture();
    fixture.kicks.requestAll(4);
    fixture.kicks.request(2, 4);
    assert.deepEqual([fixture.kicks.take(0), fixture.kicks.take(1), fixture.kicks.take(2)], [4, 4, 0]);
  });

  it("end a poll's sleep, also one that has not begun", () => {
    const fixture = new Fixture();
    fixture.another().wakePoll(0);
    const start = performance.now();
    fixture.kicks.pollWait(0, 10_000);
    fixture.another().request(0, 1);
    fixture.kicks.pollWait(0, 10_000);
    assert(performance.now() - start < 1000);
  });

  it("let a poll sleep for its time and no longer", () => {
    const fixture = new Fixture();
    const start = performance.now();
    fixture.kicks.pollWait(0, 15);
    const slept = performance.now() - start;
    assert(slept >= 14 && slept < 2000);
  });

  it("hold vCPUs out of the guest: those that are outside cost nothing", () => {
    const fixture = new Fixture();
    let done = false;
    fixture.kicks.whileHeld(() => {
      done = true;
    });
    assert(done);
    assert.deepEqual(fixture.calls, []);
  });

  it("hold a vCPU that goes in and out, each time until the work is done", async () => {
    const fixture = new Fixture();
    const { arena, areas, state } = fixture;
    const worker = new Worker(new URL("kicks-worker.js", import.meta.url), {
      workerData: { arena, areas, areaBytes: AREA, state },
    });
    while (Atomics.load(state, 2) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    for (let round = 0; round < 200; round++) {
      const before = Atomics.load(state, 2);
      fixture.kicks.whileHeld(() => {
        for (let look = 0; look < 100; look++) assert.equal(Atomics.load(state, 0), 0);
      });
      // It goes on afterwards.
      while (Atomics.load(state, 2) === before) Atomics.wait(state, 2, before, 1);
    }
    Atomics.store(state, 1, 1);
    fixture.kicks.request(1, 0);
    await once(worker, "exit");
  });

  it("wait until the other vCPU has settled", async () => {
    const fixture = new Fixture();
    const { arena, areas, state } = fixture;
    const worker = new Worker(new URL("kicks-worker.js", import.meta.url), {
      workerData: { arena, areas, areaBytes: AREA, state },
    });
    while (Atomics.load(state, 2) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    // It says so each time that it has left the guest, which it does only when it is asked.
    const rounds = Atomics.load(state, 2);
    for (let round = 1; round <= 20; round++) {
      fixture.kicks.settle(0, 1, 0);
      assert(Atomics.load(state, 2) >= rounds + round - 1);
    }
    Atomics.store(state, 1, 1);
    fixture.kicks.request(1, 0);
    await once(worker, "exit");
  });

  it("do not wait for ever for a vCPU that does not settle", () => {
    const fixture = new Fixture();
    fixture.kicks.settle(0, 1, 32);
    assert.equal(fixture.kicks.take(1), 32);
  });
});
