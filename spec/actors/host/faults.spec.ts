import assert from "node:assert/strict";
import { setEnvironmentData } from "node:worker_threads";
import { CALLS, callIndex, faultPlan, faultyLibc, FAULTS } from "../../../actors/host/faults.js";
import type { Fault, FaultPlan } from "../../../actors/host/faults.js";
import { KVM } from "../../../actors/host/kvm-abi.js";
import { openLibc } from "../../../actors/host/libc.js";
import type { Syscall } from "../../../actors/host/syscalls.js";

/** <asm/unistd_64.h> */
const NR = { write: 1, ioctl: 16, pwritev: 296 } as const;
const EIO = 5;

function plan(call: string, nth: number, times: number, fault: Fault = { kind: "errno", errno: EIO }): FaultPlan {
  const threads = ["machine", "disk0"];
  const counts = new Int32Array(new SharedArrayBuffer(threads.length * CALLS.length * 4));
  return { threads, counts, fault: { thread: "disk0", call, nth, times, fault } };
}

/** A libc that notes what reaches it, and says 100 to all. */
function recorder(): { readonly calls: number[][]; readonly fast: Syscall; readonly syscall: Syscall } {
  const calls: number[][] = [];
  const call = (...args: (number | undefined)[]): number => {
    calls.push(args.map((argument) => argument ?? 0));
    return 100;
  };
  return { calls, fast: call, syscall: call };
}

describe("faultyLibc()", () => {
  it("fails the n-th call of one name, and lets all others through", () => {
    const libc = recorder();
    const faulty = faultyLibc(libc, "disk0", plan("write", 2, 1));
    const results = [1, 2, 3].map(() => faulty.fast(NR.write, 7, 0x1000, 8));
    assert.deepEqual(results, [100, -EIO, 100]);
    assert.equal(faulty.syscall(NR.pwritev, 7, 0x1000, 1), 100);
    assert.equal(libc.calls.length, 3);
  });

  it("goes on failing as often as it is told", () => {
    const faulty = faultyLibc(recorder(), "disk0", plan("write", 1, 2));
    assert.deepEqual(
      [1, 2, 3].map(() => faulty.fast(NR.write)),
      [-EIO, -EIO, 100],
    );
  });

  it("tells KVM's ioctls apart", () => {
    const faulty = faultyLibc(recorder(), "disk0", plan("KVM_RUN", 1, 1));
    assert.equal(faulty.fast(NR.ioctl, 3, KVM.GET_REGS), 100);
    assert.equal(faulty.fast(NR.ioctl, 3, KVM.RUN), -EIO);
  });

  it("leaves other threads alone, and counts what they do", () => {
    const shared = plan("write", 1, 1);
    assert.equal(faultyLibc(recorder(), "machine", shared).fast(NR.write), 100);
    assert.equal(shared.counts[callIndex(shared, "machine", "write")], 1);
    assert.equal(shared.counts[callIndex(shared, "disk0", "write")], 0);
  });

  it("makes a transfer short: half of its buffers, or of its one", () => {
    const libc = recorder();
    faultyLibc(libc, "disk0", plan("pwritev", 1, 1, { kind: "short" })).fast(NR.pwritev, 7, 0x1000, 4, 4096);
    faultyLibc(libc, "disk0", plan("write", 1, 1, { kind: "short" })).fast(NR.write, 7, 0x1000, 9);
    assert.deepEqual(
      libc.calls.map((call) => call.slice(0, 5)),
      [
        [NR.pwritev, 7, 0x1000, 2, 4096],
        [NR.write, 7, 0x1000, 5, 0],
      ],
    );
  });

  it("makes a call late", () => {
    const started = performance.now();
    faultyLibc(recorder(), "disk0", plan("write", 1, 1, { kind: "slow", ms: 30 })).fast(NR.write);
    assert(performance.now() - started >= 29);
  });
});

describe("openLibc()", () => {
  it("has faults in it while there is a plan, and is bare without", () => {
    const bare = openLibc("disk0");
    setEnvironmentData(FAULTS, plan("getpid", 1, 1));
    try {
      assert.equal(openLibc("disk0").syscall(39), -EIO);
      assert.equal(openLibc().syscall(39), process.pid);
    } finally {
      setEnvironmentData(FAULTS, null as never);
    }
    assert.equal(faultPlan(), undefined);
    assert.equal(openLibc("disk0"), bare);
  });
});
