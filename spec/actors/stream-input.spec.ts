import assert from "node:assert/strict";
import { giveInput } from "../../actors/stream-input.js";

describe("giveInput()", () => {
  const never = new Promise<never>(() => undefined);

  it("offers what was not taken again, until all is", async () => {
    const takes = [2, 0, 1, 5];
    const offered: number[][] = [];
    const input = async (bytes: Uint8Array): Promise<number> => {
      offered.push([...bytes]);
      return Promise.resolve(Math.min(bytes.length, takes.shift() ?? 0));
    };
    await giveInput(Uint8Array.of(1, 2, 3, 4), { input, ended: never });
    assert.deepEqual(offered, [[1, 2, 3, 4], [3, 4], [3, 4], [4]]);
  });

  it("gives up when the machine ends, though nobody answers", async () => {
    await giveInput(Uint8Array.of(1), { input: async () => never, ended: Promise.resolve() });
  });
});
