import assert from "node:assert/strict";
import { SharedArena } from "../../shared/arena.js";
import { vcpuId } from "../../shared/brand.js";
import { VcpuStates } from "../../xen/vcpu-states.js";

const boot = vcpuId(0);
const other = vcpuId(1);
const context = { mode: 1, pad: 0, registers: Uint8Array.from({ length: 120 }, (_, i) => i) };

function states(): VcpuStates {
  const fresh = new VcpuStates(new SharedArena(new SharedArrayBuffer(4096)), 3);
  fresh.reset();
  return fresh;
}

describe("VcpuStates", () => {
  it("start with the boot vCPU up and the others without registers", () => {
    const fresh = states();
    assert.deepEqual([fresh.isUp(boot), fresh.isUp(other)], [true, false]);
    assert.deepEqual([fresh.isInitialised(boot), fresh.isInitialised(other)], [true, false]);
    assert(fresh.isAlone(boot));
  });

  it("lead from registers to rest, and up and down from there", () => {
    const some = states();
    assert(!some.bringUp(other));
    assert(some.initialise(other, context));
    assert(some.isDown(other));
    assert(some.bringUp(other));
    assert(!some.bringUp(other));
    assert(!some.isAlone(boot));
    assert(some.takeDown(other));
    assert(!some.takeDown(other));
    assert(some.isDown(other) && some.isInitialised(other));
  });

  it("take registers once in the life of a vCPU, which INIT ends", () => {
    const some = states();
    assert(some.initialise(other, context));
    assert(!some.initialise(other, context));
    some.noteInit(other);
    assert(!some.isInitialised(other));
    assert.equal(some.takeContext(other), undefined);
    assert(some.initialise(other, context));
  });

  it("give the registers to the vCPU's thread, once", () => {
    const some = states();
    assert.equal(some.takeContext(other), undefined);
    some.initialise(other, context);
    assert.deepEqual(some.takeContext(other), context);
    assert.equal(some.takeContext(other), undefined);
  });

  it("let SIPI start a vCPU that has no registers, and no other", () => {
    const some = states();
    assert(some.noteStarted(other));
    assert(some.isUp(other));
    some.takeDown(other);
    assert(!some.noteStarted(other));
    assert(some.isDown(other));
  });

  it("count a vCPU in HLT with interrupts closed as one that does not run, until an interrupt or INIT", () => {
    const some = states();
    some.noteStarted(other);
    some.noteLastHalt(other, true);
    assert.deepEqual([some.isUp(other), some.runs(other), some.isAlone(boot)], [true, false, false]);
    some.noteLastHalt(other, false);
    assert.deepEqual([some.runs(other), some.isAlone(boot)], [true, false]);
    some.noteLastHalt(other, true);
    some.noteInit(other);
    some.noteStarted(other);
    assert(some.runs(other));
  });

  it("come back from a snapshot, with the registers that wait", () => {
    const some = states();
    some.initialise(other, context);
    const restored = states();
    restored.restore(some.save());
    assert(restored.isDown(other));
    assert.deepEqual(restored.takeContext(other), context);
  });
});
