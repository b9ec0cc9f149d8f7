import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { BlkifRequest } from "../../../devices/xen-disk/blkif-request.js";
import { GrantCache } from "../../../devices/xen-disk/grant-cache.js";
import { TestGrants, TestMemory } from "./front-end.js";

const WRITE = 1;
const FLUSH = 2;

describe("BlkifRequest", () => {
  let grants: TestGrants;
  let cache: GrantCache;
  let request: BlkifRequest;
  let completions: number[];

  beforeEach(() => {
    const memory = new TestMemory();
    grants = new TestGrants();
    for (let ref = 0; ref < 8; ref++) grants.grant(ref, memory.address(ref), ref === 7);
    cache = new GrantCache(grants, memory.memory, 16);
    completions = [];
    request = new BlkifRequest((_, error) => completions.push(error));
  });

  it("hands its completion on", () => {
    request.complete(5);
    assert.deepEqual(completions, [5]);
  });

  it("merges only what touches", () => {
    for (const [ref, from, length] of [
      [0, 512, 3584],
      [1, 0, 4096],
      [2, 512, 512],
      [2, 1024, 512],
      [2, 512, 512],
    ] as const) {
      assert.ok(request.addSegment(cache, ref, from, length));
    }
    assert.deepEqual([...request.lengths.subarray(0, request.segmentCount)], [7680, 1024, 512]);
    assert.deepEqual([...request.offsets.subarray(0, request.segmentCount)], [512, 8704, 8704]);
    assert.equal(request.length, 9216);
    assert.equal(grants.held, 5);
    request.releaseGrants(cache);
    assert.equal(grants.held, 0);
    request.releaseGrants(cache);
  });

  it("maps writable for a read, and read-only for a write", () => {
    assert.equal(request.addSegment(cache, 7, 0, 512), false);
    request.op = WRITE;
    assert.equal(request.addSegment(cache, 7, 0, 512), true);
    assert.deepEqual([...grants.mapped.keys()], ["7 false"]);
  });

  it("sets its data aside for a flush and takes it up again", () => {
    request.op = WRITE;
    request.addSegment(cache, 0, 0, 4096);
    request.aimAtFlush();
    assert.deepEqual([request.op, request.length, request.segmentCount], [FLUSH, 0, 0]);
    request.aimAtWrite();
    assert.deepEqual([request.op, request.length, request.segmentCount], [WRITE, 4096, 1]);
    request.releaseGrants(cache);
    request.clear();
    assert.deepEqual([request.length, request.segmentCount], [0, 0]);
    request.aimAtWrite();
    assert.equal(request.segmentCount, 0);
  });
});
