import assert from "node:assert/strict";
import { TraceFlow } from "../../actors/trace-flow.js";
import { callWorker } from "../support/call-worker.js";

/** Records that may be on their way. */
const MOST = 4096;
const WORKER = new URL("trace-flow-worker.js", import.meta.url);

function word(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

describe("TraceFlow", () => {
  it("lets records go while few are on their way", () => {
    const words = word();
    const flow = new TraceFlow(words);
    for (let i = 0; i < MOST; i++) flow.send();
    flow.arrived();
    assert.equal(words[0], MOST - 1);
  });

  it("holds a thread back until one has arrived", async () => {
    const words = word();
    words[0] = MOST;
    const flow = new TraceFlow(words);
    const sent = callWorker(WORKER, words);
    while (Atomics.load(words, 0) === MOST) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    flow.arrived();
    assert(((await sent) as number) >= 40);
    assert.equal(words[0], MOST);
  });

  it("lets it go on after about a second when nobody takes anything", async () => {
    const words = word();
    words[0] = MOST;
    const took = (await callWorker(WORKER, words)) as number;
    assert(took > 900 && took < 5000, `${took} ms`);
  });
});
