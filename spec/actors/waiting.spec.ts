import assert from "node:assert/strict";
import { unlessDead, within } from "../../actors/waiting.js";
import type { ActorHandle } from "../../actors/workers.js";

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
