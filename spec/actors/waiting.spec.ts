import assert from "node:assert/strict";
import type { Worker } from "node:worker_threads";
import type { ActorStart } from "../../actors/protocol.js";
import { spareWorkers } from "../../actors/spare-workers.js";
import { endWorkers, unlessDead, within } from "../../actors/waiting.js";
import { startWorker } from "../../actors/workers.js";
import type { ActorHandle } from "../../actors/workers.js";
import { openDescriptors, spareThreadsEnded } from "../support/leftovers.js";

const never = new Promise<never>(() => undefined);

function actor(died: Promise<never>): ActorHandle {
  return { died } as unknown as ActorHandle;
}

describe("unlessDead()", () => {
  it("gives the result, or the actor's death, whichever comes first", async () => {
    assert.equal(await unlessDead(actor(never), Promise.resolve(7)), 7);
    await assert.rejects(unlessDead(actor(Promise.reject(new Error("it died"))), never), /it died/);
  });
});

describe("within()", () => {
  it("waits for the work and swallows its failure", async () => {
    let done = false;
    await within(
      10_000,
      Promise.resolve().then(() => (done = true)),
    );
    assert.equal(done, true);
    await within(10_000, Promise.reject(new Error("too bad")));
  });

  it("gives up when it takes too long", async () => {
    const start = performance.now();
    await within(15, never);
    assert(performance.now() - start < 2000);
  });
});

describe("endWorkers()", function () {
  this.timeout(60_000);

  // Files of their code stay open for good in threads that are torn down while Node reads them: some hundreds of ms.
  it("leaves nothing open of threads that still load their code", async () => {
    // What they are told, they never look at.
    const start = { kind: "device", init: {} } as unknown as ActorStart;
    await spareThreadsEnded();
    const before = openDescriptors().length;
    for (const graceMs of [200, 400, 600]) {
      const actors = Array.from({ length: 8 }, (_, index) => startWorker(`some${index}`, start, []));
      for (const each of actors) each.expectEnd();
      await endWorkers(actors, [], graceMs);
    }
    assert.equal(openDescriptors().length, before);
  });

  it("leaves no thread for another machine that says it has done all while it is being ended", async () => {
    const start = { kind: "disk", init: {} } as unknown as ActorStart;
    const workers: Worker[] = [];
    const note = (worker: Worker): void => {
      workers.push(worker);
    };
    process.on("worker", note);
    // So many that threads are kept at all.
    const actors = Array.from({ length: 32 }, (_, index) => startWorker(`some${index}`, start, []));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("worker", note);
    for (const each of actors) each.expectEnd();
    await spareThreadsEnded();
    for (const each of actors) each.settle();
    const ended = actors.map((each) => each.terminate());
    for (const worker of workers) worker.emit("message", "rested");
    assert.equal(spareWorkers(), 0);
    await Promise.all(ended);
  });

  it("rings once more what it could not ring, and says in the end what it never could", async () => {
    const rung: string[] = [];
    const bell = (name: string, failures: number): { ring(): void } => ({
      ring() {
        if (failures-- > 0) throw new Error(`${name} is broken`);
        rung.push(name);
      },
    });
    await endWorkers([], [bell("first", 1), bell("second", 0)], 1000);
    assert.deepEqual(rung, ["first", "second"]);
    await assert.rejects(endWorkers([], [bell("third", 2), bell("fourth", 0)], 10), /third is broken/);
    assert.deepEqual(rung, ["first", "second", "fourth"]);
  });
});
