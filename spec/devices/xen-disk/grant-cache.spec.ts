import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { GrantCache } from "../../../devices/xen-disk/grant-cache.js";
import { TestGrants, TestMemory } from "./front-end.js";

describe("GrantCache", () => {
  let memory: TestMemory;
  let grants: TestGrants;
  let cache: GrantCache;

  beforeEach(() => {
    memory = new TestMemory();
    grants = new TestGrants();
    for (let ref = 0; ref < 8; ref++) grants.grant(ref, memory.address(ref));
    cache = new GrantCache(grants, memory.memory, 3);
  });

  function use(ref: number): boolean {
    const found = cache.acquire(ref, true);
    if (found) cache.release(ref, true, cache.place);
    return found;
  }

  it("maps and unmaps for each use without persistence", () => {
    cache.open(false);
    assert.ok(cache.acquire(4, false));
    assert.equal(cache.region, memory.low);
    assert.equal(cache.offset, 4 * 4096);
    assert.equal(cache.place, undefined);
    assert.deepEqual([...grants.mapped], [["4 false", 1]]);
    cache.release(4, false, undefined);
    assert.equal(grants.held, 0);
  });

  it("maps a persistent grant once, writable", () => {
    cache.open(true);
    for (let i = 0; i < 10; i++) {
      assert.ok(cache.acquire(2, false));
      cache.release(2, false, cache.place);
    }
    assert.equal(grants.maps, 1);
    assert.deepEqual([...grants.mapped], [["2 true", 1]]);
  });

  it("refuses what is not granted, not memory, or read-only where it must be writable", () => {
    grants.grant(20, 0x9000_0000);
    grants.grant(21, memory.address(9), true);
    for (const persistent of [false, true]) {
      cache.open(persistent);
      assert.equal(use(19), false);
      assert.equal(use(20), false);
      assert.equal(use(21), false);
    }
    assert.equal(grants.held, 0);
    assert.equal(cache.size, 0);
  });

  it("falls back to one use for a grant that a persistent front end gave read-only", () => {
    grants.grant(21, memory.address(9), true);
    cache.open(true);
    assert.ok(cache.acquire(21, false));
    assert.equal(cache.place, undefined);
    cache.release(21, false, undefined);
    assert.equal(grants.held, 0);
  });

  it("evicts the one that rested longest at the limit", () => {
    cache.open(true);
    for (const ref of [0, 1, 2, 0, 3]) use(ref);
    assert.equal(cache.size, 3);
    assert.deepEqual([...grants.mapped.keys()].sort(), ["0 true", "2 true", "3 true"]);
  });

  it("never evicts one in use, and maps for one use when all are (K12)", () => {
    cache.open(true);
    const places = [0, 1, 2].map((ref) => cache.acquire(ref, true) && cache.place);
    assert.ok(places.every((place) => place));
    assert.ok(cache.acquire(3, true));
    assert.equal(cache.place, undefined);
    assert.equal(grants.held, 4);
    cache.release(3, true, undefined);
    assert.equal(grants.held, 3);
    cache.release(1, true, places[1] || undefined);
    assert.ok(use(4));
    assert.deepEqual([...grants.mapped.keys()].sort(), ["0 true", "2 true", "4 true"]);
  });

  it("counts users: a page used twice rests only after both", () => {
    cache.open(true);
    cache.acquire(0, true);
    cache.acquire(0, true);
    const { place } = cache;
    cache.release(0, true, place);
    for (const ref of [1, 2, 3, 4]) use(ref);
    assert.ok(grants.mapped.has("0 true"));
    cache.release(0, true, place);
  });

  it("unmaps everything at close", () => {
    cache.open(true);
    for (const ref of [0, 1, 2, 3]) use(ref);
    cache.close();
    assert.equal(grants.held, 0);
    assert.equal(cache.size, 0);
    for (const ref of [4, 5, 6]) use(ref);
    assert.equal(grants.held, 3);
  });

  it("forgets without unmapping, and starts afresh", () => {
    cache.open(true);
    for (const ref of [0, 1, 2]) use(ref);
    cache.acquire(1, true);
    cache.forget();
    grants.mapped.clear();
    assert.equal(cache.size, 0);
    for (const ref of [1, 2, 3, 4]) use(ref);
    assert.equal(grants.held, 3);
  });
});
