/** Mocha's root hooks: a run fails when its specs leave workers, child processes, servers or KVM's descriptors behind. */
import assert from "node:assert/strict";
import type { Worker } from "node:worker_threads";
import type { Context, RootHookObject } from "mocha";
import { openDescriptors, settle } from "./leftovers.js";
import { PATIENCE } from "./patience.js";

/** What a finished run may still have: standard streams, and what mocha itself waits with. */
const HARMLESS = new Set(["TTYWrap", "PipeWrap", "Timeout", "Immediate", "FSReqCallback", "FSReqPromise", "CloseReq"]);
/** Descriptors that only machines open. */
const OF_MACHINES = /kvm|xen-overlays/;

/** Workers that run, and during which spec each was started. */
const workers = new Map<Worker, string>();
let current = "before the first spec";

process.on("worker", (worker: Worker) => {
  workers.set(worker, current);
  worker.once("exit", () => {
    workers.delete(worker);
  });
});

function handles(): readonly string[] {
  return process.getActiveResourcesInfo().filter((kind) => !HARMLESS.has(kind));
}

function descriptors(): readonly string[] {
  return openDescriptors().filter((target) => OF_MACHINES.test(target));
}

export const mochaHooks: RootHookObject = {
  beforeEach(this: Context) {
    const test = this.currentTest;
    current = test?.fullTitle() ?? current;
    test?.timeout(PATIENCE * test.timeout());
  },
  async afterAll() {
    await settle(() => workers.size === 0 && handles().length === 0 && descriptors().length === 0);
    assert.deepEqual([...workers.values()], [], "workers are left that these specs started");
    assert.deepEqual(handles(), [], "handles are left that keep the process alive");
    assert.deepEqual(descriptors(), [], "descriptors of machines are left");
  },
};
