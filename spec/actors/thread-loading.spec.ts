import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { ThreadLoading } from "../../actors/thread-loading.js";

/** The two ends: whoever started a thread, and the thread. */
function ends(): { readonly starter: ThreadLoading; readonly thread: ThreadLoading } {
  const starter = new ThreadLoading();
  return { starter, thread: new ThreadLoading(starter.buffer) };
}

describe("ThreadLoading", () => {
  it("lets a thread load that nobody has called off", () => {
    assert.equal(ends().thread.begin(), true);
  });

  it("lets a thread that has been called off load no more", () => {
    const { starter, thread } = ends();
    assert.deepEqual([starter.callOff(), thread.begin()], [true, false]);
    assert.equal(starter.callOff(), true);
  });

  it("does not call off a thread that loads or has loaded", () => {
    const { starter, thread } = ends();
    thread.begin();
    assert.equal(starter.callOff(), false);
    thread.end();
    assert.equal(starter.callOff(), false);
  });

  it("waits for a thread that loads until it has", async () => {
    const { starter, thread } = ends();
    thread.begin();
    const module = new URL("../../actors/thread-loading.js", import.meta.url);
    // Ends what it is handed, from another thread.
    const source = `import(${JSON.stringify(module.href)}).then(({ ThreadLoading }) =>
      new ThreadLoading(require("node:worker_threads").workerData).end())`;
    const worker = new Worker(source, { eval: true, workerData: starter.buffer });
    starter.settle(60_000);
    assert.equal(new Int32Array(starter.buffer)[0], 2);
    await worker.terminate();
  });

  it("waits for nothing else, and no longer than it is told", () => {
    const { starter, thread } = ends();
    starter.settle(60_000);
    thread.begin();
    starter.settle(1);
    assert.equal(starter.callOff(), false);
  });
});
