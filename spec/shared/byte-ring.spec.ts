import assert from "node:assert/strict";
import fc from "fast-check";
import { SharedArena } from "../../shared/arena.js";
import { ByteRing } from "../../shared/byte-ring.js";

/** A ring whose two indices stand at `start`: they run freely over 2^32. */
function ringAt(start: number, capacity = 8): ByteRing {
  const buffer = new SharedArrayBuffer(4096);
  new Int32Array(buffer).fill(start | 0, 0, 2);
  return new ByteRing(new SharedArena(buffer), capacity);
}

const operation = fc.oneof(
  fc.record({ kind: fc.constant("push" as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant("shift" as const), value: fc.constant(0) }),
  fc.record({ kind: fc.constant("drain" as const), value: fc.nat(10) }),
);

describe("ByteRing", () => {
  it("behaves as a queue of bounded length, also where its indices wrap", () => {
    const starts = fc.constantFrom(0, 5, 2 ** 31 - 4, 2 ** 32 - 4, 2 ** 32 - 1);
    fc.assert(
      fc.property(starts, fc.array(operation, { maxLength: 60 }), (start, operations) => {
        const ring = ringAt(start);
        const model: number[] = [];
        for (const { kind, value } of operations) {
          if (kind === "push") {
            assert.equal(ring.push(value), model.length < 8);
            if (model.length < 8) model.push(value);
          } else if (kind === "shift") {
            assert.equal(ring.shift(), model.shift() ?? -1);
          } else {
            const target = new Uint8Array(value);
            const count = ring.drain(target);
            assert.deepEqual([...target.subarray(0, count)], model.splice(0, value));
          }
          assert.deepEqual([ring.length, ring.free], [model.length, 8 - model.length]);
        }
      }),
    );
  });

  it("refuses the byte that does not fit and keeps the others", () => {
    const ring = ringAt(0, 2);
    assert.deepEqual([ring.push(1), ring.push(2), ring.push(3)], [true, true, false]);
    assert.deepEqual([ring.shift(), ring.shift(), ring.shift()], [1, 2, -1]);
  });

  it("forgets what waits when cleared", () => {
    const ring = ringAt(2 ** 32 - 1);
    ring.push(1);
    ring.push(2);
    ring.clear();
    assert.deepEqual([ring.length, ring.free, ring.shift()], [0, 8, -1]);
  });

  it("is one ring in all threads that build it over the same memory", () => {
    const buffer = new SharedArrayBuffer(4096);
    const writer = new ByteRing(new SharedArena(buffer), 8);
    const reader = new ByteRing(new SharedArena(buffer), 8);
    writer.push(0x41);
    assert.equal(reader.shift(), 0x41);
    assert.equal(writer.length, 0);
  });

  it("has a capacity that is a power of two", () => {
    for (const capacity of [0, 3, 12, -8]) {
      assert.throws(() => ringAt(0, capacity), { name: "RangeError", message: /power of two/ });
    }
  });
});
