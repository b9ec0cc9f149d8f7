import assert from "node:assert/strict";
import fc from "fast-check";
import { SharedArena } from "../../shared/arena.js";

const kind = fc.constantFrom("uint8" as const, "int32" as const, "uint32" as const, "float64" as const);
const requests = fc.array(fc.tuple(kind, fc.integer({ min: 1, max: 40 })), { maxLength: 30 });

describe("SharedArena", () => {
  it("gives the same places to whoever asks in the same order", () => {
    fc.assert(
      fc.property(requests, (list) => {
        const buffer = new SharedArrayBuffer(64 * 1024);
        const places = (arena: SharedArena): number[] => list.map(([type, length]) => arena[type](length).byteOffset);
        assert.deepEqual(places(new SharedArena(buffer)), places(new SharedArena(buffer)));
      }),
    );
  });

  it("puts no two pieces into one cache line of 64 bytes", () => {
    fc.assert(
      fc.property(requests, (list) => {
        const arena = new SharedArena(new SharedArrayBuffer(64 * 1024));
        const lines = list.flatMap(([type, length]) => {
          const piece = arena[type](length);
          const first = Math.floor(piece.byteOffset / 64);
          const last = Math.floor((piece.byteOffset + piece.byteLength - 1) / 64);
          return Array.from({ length: last - first + 1 }, (_, i) => first + i);
        });
        assert.equal(new Set(lines).size, lines.length);
      }),
    );
  });

  it("starts where it is told and counts from the buffer's start", () => {
    const arena = new SharedArena(new SharedArrayBuffer(4096), 1000);
    assert.equal(arena.uint8(1).byteOffset, 1024);
    assert.equal(arena.reserve(8, 4), 1028);
    assert.equal(arena.used, 1036);
  });

  it("refuses with the room that is left when it is full", () => {
    const arena = new SharedArena(new SharedArrayBuffer(128));
    arena.uint8(64);
    assert.throws(() => arena.int32(17), { name: "RangeError", message: /68 bytes of shared state: 64 are left/ });
    assert.equal(arena.int32(16).length, 16);
  });
});
