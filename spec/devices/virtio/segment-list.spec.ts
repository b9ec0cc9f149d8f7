import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { SegmentList } from "../../../devices/virtio/segment-list.js";
import { LOW_BYTES, NEXT_START, QueueDriver } from "./queue-driver.js";

describe("SegmentList", () => {
  const { memory, bytes } = new QueueDriver(8);

  function listOf(...pieces: readonly (readonly [address: number, length: number])[]): SegmentList {
    const list = new SegmentList(8);
    for (const [address, length] of pieces) assert(list.add(memory, address, length));
    return list;
  }

  it("copies over the bounds of its pieces", () => {
    const list = listOf([0x100, 3], [0x200, 2], [NEXT_START - 1, 3]);
    assert.equal(list.segmentCount, 4);
    assert.equal(list.store(1, Uint8Array.of(1, 2, 3, 4, 5)), 5);
    assert.deepEqual([...bytes.subarray(0x101, 0x103)], [1, 2]);
    assert.deepEqual([...bytes.subarray(0x200, 0x202)], [3, 4]);
    const back = new Uint8Array(8);
    assert.equal(list.fetch(2, back), 6);
    assert.deepEqual([...back], [2, 3, 4, 5, 0, 0, 0, 0]);
  });

  it("stops at its end", () => {
    const list = listOf([0x300, 4]);
    assert.equal(list.fetch(4, new Uint8Array(1)), 0);
    assert.equal(list.store(3, Uint8Array.of(1, 2)), 1);
  });

  it("refuses holes and more pieces than it has room for", () => {
    const list = new SegmentList(2);
    assert(!list.add(memory, LOW_BYTES, 1));
    assert(!list.add(memory, -1, 1));
    assert(!list.add(memory, NaN, 1));
    assert(list.add(memory, 0x100, 1) && list.add(memory, 0x200, 1));
    assert(!list.add(memory, 0x300, 1));
    list.clear();
    assert.deepEqual([list.segmentCount, list.totalBytes], [0, 0]);
  });

  it("appends another list's pieces as its own, merged where they touch", () => {
    const list = listOf([0x100, 3]);
    assert(list.addAll(listOf([0x103, 2], [0x200, 4])));
    assert.deepEqual([list.segmentCount, list.totalBytes], [2, 9]);
    assert(!list.addAll(listOf(...Array.from({ length: 8 }, (_, i) => [0x300 + i * 16, 1] as const))));
  });

  it("slices as an array does", () => {
    const piece = fc.tuple(fc.nat(0xfff), fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), fc.nat(60), fc.nat(60), (given, from, want) => {
        const list = listOf(...given);
        const whole = new Uint8Array(list.totalBytes);
        assert.equal(list.fetch(0, whole), whole.length);
        const skip = Math.min(from, whole.length);
        const length = Math.min(want, whole.length - skip);
        const part = new SegmentList(8);
        part.slice(list, skip, length);
        assert.equal(part.totalBytes, length);
        const copy = new Uint8Array(length);
        assert.equal(part.fetch(0, copy), length);
        assert.deepEqual(copy, whole.subarray(skip, skip + length));
      }),
      { numRuns: 200 },
    );
  });
});
