/** [MEMORY] xen.git xen/include/public/memory.h: entries as BIOS INT 15h, AX=E820h gives them. */
import assert from "node:assert/strict";
import { SharedArena } from "../../shared/arena.js";
import { gpa } from "../../shared/brand.js";
import { E820 } from "../../shared/layout.js";
import { MemoryMap } from "../../xen/memory-map.js";

const ENTRY_BYTES = 20;
const MOST = 1024;

function mapOf(arena = new SharedArena(new SharedArrayBuffer(64 * 1024))): MemoryMap {
  return new MemoryMap(arena, [
    { base: gpa(0), length: 0x9_f000, type: E820.ram },
    { base: gpa(0x1_2345_6000), length: 0x2_0000_0000, type: E820.reserved },
  ]);
}

describe("MemoryMap", () => {
  it("has base and length in 64 bits, and the type in 32", () => {
    const map = mapOf();
    map.reset();
    const bytes = map.read(MOST)?.slice() ?? new Uint8Array(0);
    const view = new DataView(bytes.buffer);
    assert.equal(bytes.length, 2 * ENTRY_BYTES);
    assert.deepEqual(
      [view.getBigUint64(20, true), view.getBigUint64(28, true), view.getUint32(36, true)],
      [0x1_2345_6000n, 0x2_0000_0000n, 2],
    );
  });

  it("gives the first entries when there is no room for all", () => {
    const map = mapOf();
    map.reset();
    assert.deepEqual([map.read(1)?.length, map.read(0)?.length], [ENTRY_BYTES, 0]);
  });

  it("is seen by another thread as it was set, and takes as many entries as Xen does", () => {
    const buffer = new SharedArrayBuffer(64 * 1024);
    const [map, other] = [mapOf(new SharedArena(buffer)), mapOf(new SharedArena(buffer))];
    map.reset();
    map.write(map.scratch(MOST).fill(7));
    assert.equal(other.read(MOST)?.length, MOST * ENTRY_BYTES);
    assert.equal(other.read(1)?.[19], 7);
  });

  it("tells of none where an empty one was set", () => {
    const map = mapOf();
    map.reset();
    map.write(map.scratch(0));
    assert.equal(map.read(MOST), undefined);
  });
});
