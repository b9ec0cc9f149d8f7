import assert from "node:assert/strict";
import { lastWords } from "../../actors/last-words.js";

const NEVER = new Promise<never>(() => undefined);

describe("lastWords()", () => {
  it("asks until the device actor has handed all over, and waits until the listeners have taken it", async () => {
    const told: string[] = [];
    const answers = [false, false, true];
    const drained = (): Promise<boolean> => {
      told.push("asked");
      return Promise.resolve(answers.shift() ?? true);
    };
    const idle = (): Promise<void> => {
      told.push("idle");
      return Promise.resolve();
    };
    await lastWords({ died: NEVER, api: { drained } }, { idle });
    assert.deepEqual(told, ["asked", "asked", "asked", "idle"]);
  });

  it("waits neither for an actor that has died nor for ever for a listener", async function () {
    this.timeout(20_000);
    const died = Promise.reject(new Error("The devices thread failed"));
    died.catch(() => undefined);
    await lastWords({ died, api: { drained: () => NEVER } }, { idle: () => NEVER });
    const started = performance.now();
    await lastWords({ died: NEVER, api: { drained: () => Promise.resolve<boolean>(true) } }, { idle: () => NEVER });
    assert.ok(performance.now() - started < 10_000);
  });
});
