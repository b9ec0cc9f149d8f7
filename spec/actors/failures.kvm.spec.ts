/** A thread of ours that fails takes its machine down in order, and the caller hears why, with the stack. */
import assert from "node:assert/strict";
import type { Worker } from "node:worker_threads";
import { Machine } from "../../actors/machine.js";
import type { MachineConfig } from "../../shared/config.js";
import { VmmError } from "../../shared/errors.js";
import { openDescriptors, settle, spareThreadsEnded } from "../support/leftovers.js";
import { smallGuest } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";

/** The workers that are started while `work` runs. */
async function workersOf<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly workers: Worker[] }> {
  const workers: Worker[] = [];
  const note = (worker: Worker): void => {
    workers.push(worker);
  };
  process.on("worker", note);
  try {
    const result = await work();
    // Node tells of a new worker a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    return { result, workers };
  } finally {
    process.off("worker", note);
  }
}

/** Ends the device actor's thread, which may sleep in a system call: the power button wakes it. */
async function kill(machine: Machine, worker: Worker | undefined): Promise<void> {
  assert(worker !== undefined);
  const ended = worker.terminate();
  await machine.powerButton().catch(() => undefined);
  await ended;
}

describe("A machine whose thread fails", function () {
  this.timeout(20_000);
  const quiet = { log: () => undefined };

  before(function () {
    requireKvm(this, "spin.elf", "hello.elf");
  });

  beforeEach("sees threads of earlier machines end", spareThreadsEnded);

  async function started(changes: Partial<MachineConfig> = {}): Promise<Machine> {
    const machine = await Machine.create(smallGuest("spin.elf", changes), quiet);
    await machine.start();
    return machine;
  }

  async function nothingLeft(): Promise<void> {
    const kvm = (): number => openDescriptors().filter((target) => target.includes("kvm")).length;
    await settle(() => kvm() === 0);
    assert.equal(kvm(), 0);
  }

  /** [which worker by the order of its start, its name] */
  for (const [index, name] of [
    [0, "vcpu0"],
    [1, "vcpu1"],
    [2, "devices"],
  ] as const) {
    it(`ends with the error of ${name}, stack and all, when that thread throws`, async () => {
      const { result: machine, workers } = await workersOf(() => started({ vcpus: { count: 2 } }));
      // Not a message of ours: the thread throws on it, as on any other bug of ours.
      const worker = workers[index];
      assert(worker !== undefined);
      worker.postMessage({ kind: "none of ours" });
      // vCPUs read their mail when they are at rest, the device actor when its bell rings.
      await machine.pause().catch(() => undefined);
      const end = await machine.ended;
      assert.equal(machine.status(), "ended");
      assert(end.kind === "failed");
      assert(end.error instanceof VmmError);
      assert.deepEqual([end.error.code, end.error.details["actor"]], ["ACTOR_FAILED", name]);
      assert.match(end.error.stack ?? "", /at .*\.js:\d+/);
      assert(end.error.cause instanceof TypeError);
      await machine[Symbol.asyncDispose]();
      await nothingLeft();
    });
  }

  it("ends when a thread of it is killed", async () => {
    const { result: machine, workers } = await workersOf(() => started());
    await kill(machine, workers[1]);
    const end = await machine.ended;
    assert(end.kind === "failed");
    assert.match(end.error.message, /^The devices thread ended/);
    await machine[Symbol.asyncDispose]();
    await nothingLeft();
  });

  it("goes on beside one that failed in the same process", async () => {
    const broken = await workersOf(() => started());
    const sound = await Machine.create(smallGuest("hello.elf"), quiet);
    await kill(broken.result, broken.workers[1]);
    assert.equal((await broken.result.ended).kind, "failed");
    await sound.start();
    assert.deepEqual(await sound.ended, { kind: "poweroff" });
    await Promise.all([broken.result[Symbol.asyncDispose](), sound[Symbol.asyncDispose]()]);
    await nothingLeft();
  });

  it("refuses to start once it is gone", async () => {
    const machine = await Machine.create(smallGuest("spin.elf"), quiet);
    await machine[Symbol.asyncDispose]();
    await assert.rejects(machine.start(), (error: unknown) => error instanceof VmmError && error.code === "STATE");
    await nothingLeft();
  });
});
