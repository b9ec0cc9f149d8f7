import assert from "node:assert/strict";
import { UpcallRetry } from "../../actors/upcall-retry.js";

describe("UpcallRetry", () => {
  it("waits twice as long after each try in vain, up to 12.8 ms", () => {
    const retry = new UpcallRetry();
    const gaps = Array.from({ length: 9 }, () => {
      const { gapNs } = retry;
      retry.failed();
      return gapNs / 1000;
    });
    assert.deepEqual(gaps, [200, 400, 800, 1600, 3200, 6400, 12_800, 12_800, 12_800]);
  });

  it("begins anew with the next upcall", () => {
    const retry = new UpcallRetry();
    retry.failed();
    retry.failed();
    retry.over();
    assert.equal(retry.gapNs, 200_000);
  });
});
