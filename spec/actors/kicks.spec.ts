import assert from "node:assert/strict";
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
  readonly #arena = new SharedArrayBuffer(4096);

  constructor() {
    const areas = new SharedArrayBuffer(2 * AREA);
    this.runs = [0, 1].map((vcpu) => new KvmRun(areas, vcpu * AREA, AREA));
    this.kicks = this.another();
  }

  /** The same object in another thread. */
  another(): Kicks {
    const fast = (...args: number[]): number => this.calls.push(args);
    return new Kicks(new SharedArena(this.#arena), { fast } as unknown as Libc, this.runs);
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
});
