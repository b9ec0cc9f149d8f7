import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { mapRingPages, unmapRingPages } from "../../../devices/xen-disk/ring-pages.js";
import { TestGrants, TestMemory } from "./front-end.js";

describe("mapRingPages()", () => {
  it("finds pages anywhere in memory, in the order of their grants", () => {
    const memory = new TestMemory();
    const grants = new TestGrants();
    grants.grant(3, memory.address(200));
    grants.grant(4, memory.address(7));
    assert.deepEqual(mapRingPages(grants, memory.memory, [3, 4]), [
      { region: memory.high, word: 8 * 1024 },
      { region: memory.low, word: 7 * 1024 },
    ]);
    assert.equal(grants.held, 2);
    unmapRingPages(grants, [3, 4]);
    assert.equal(grants.held, 0);
  });

  it("names the first grant that cannot be mapped, and keeps none", () => {
    const memory = new TestMemory();
    const grants = new TestGrants();
    grants.grant(1, memory.address(0));
    grants.grant(2, 0xfee0_0000);
    grants.grant(3, memory.address(1), true);
    for (const bad of [2, 3, 4]) {
      assert.equal(mapRingPages(grants, memory.memory, [1, bad, 1]), bad);
      assert.equal(grants.held, 0);
    }
  });
});
