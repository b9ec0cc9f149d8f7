import assert from "node:assert/strict";
import { Lifecycle } from "../../actors/lifecycle.js";
import { SharedArena } from "../../shared/arena.js";

function pair(): readonly [Lifecycle, Lifecycle] {
  const buffer = new SharedArrayBuffer(256);
  return [new Lifecycle(new SharedArena(buffer)), new Lifecycle(new SharedArena(buffer))];
}

describe("Lifecycle", () => {
  it("lets vCPUs run at first, with no reason to stop", () => {
    const [lifecycle] = pair();
    assert.deepEqual([lifecycle.stopping, lifecycle.reason], [false, "none"]);
  });

  it("keeps the first reason and its details, for every thread", () => {
    const [vcpu, machine] = pair();
    assert.equal(vcpu.end("debug-exit", 2, 35), true);
    assert.equal(vcpu.end("crash", 1, 7), false);
    assert.deepEqual([machine.stopping, machine.reason, machine.detail, machine.vcpu], [true, "debug-exit", 35, 2]);
  });

  it("stops without a reason for a pause", () => {
    const [machine, vcpu] = pair();
    machine.stop();
    assert.deepEqual([vcpu.stopping, vcpu.reason], [true, "none"]);
  });

  it("forgets everything when vCPUs may run again", () => {
    const [machine, vcpu] = pair();
    vcpu.end("reset", 0);
    machine.clear();
    assert.deepEqual([vcpu.stopping, vcpu.reason, vcpu.detail], [false, "none", 0]);
    assert.equal(vcpu.end("poweroff", 0), true);
    assert.equal(machine.reason, "poweroff");
  });

  it("is abandoned once and for all", () => {
    const [machine, actor] = pair();
    assert.equal(actor.abandoned, false);
    machine.abandon();
    assert.deepEqual([actor.abandoned, actor.stopping], [true, true]);
    machine.clear();
    assert.equal(actor.abandoned, true);
  });

  it("lets nobody wait for the platform once it has its power-on state, whatever the machine does then", () => {
    const [vcpu, devices] = pair();
    vcpu.setPlatformReady();
    vcpu.stop();
    assert.equal(devices.awaitPlatform(), true);
    devices.clear();
    assert.equal(devices.awaitPlatform(), true);
  });

  it("has a number of its own for each reason", () => {
    const reasons = [
      "poweroff",
      "reset",
      "crash",
      "suspend",
      "soft-reset",
      "debug-exit",
      "failed",
      "watchdog",
    ] as const;
    for (const reason of reasons) {
      const [lifecycle] = pair();
      lifecycle.end(reason, 0);
      assert.equal(lifecycle.reason, reason);
    }
  });
});
