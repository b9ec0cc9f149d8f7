import assert from "node:assert/strict";
import fc from "fast-check";
import { gpa } from "../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";

const PAGE = 4096;
/** Two adjacent regions at 0 and 8 KiB, a hole, one at 64 KiB; the second starts inside its buffer. */
const HOLE = 4 * PAGE;
const END = 17 * PAGE;

function machine(): GuestMemory {
  return new GuestMemory([
    new MemoryRegion(gpa(0), 2 * PAGE, new SharedArrayBuffer(2 * PAGE)),
    new MemoryRegion(gpa(2 * PAGE), 2 * PAGE, new SharedArrayBuffer(3 * PAGE), PAGE),
    new MemoryRegion(gpa(16 * PAGE), PAGE, new SharedArrayBuffer(PAGE)),
  ]);
}

/** Whether every byte of the range is memory, by the map above. */
function isMemory(at: number, length: number): boolean {
  return (at >= 0 && at + length <= HOLE) || (at >= 16 * PAGE && at + length <= END);
}

/** Addresses as a hostile guest gives them. */
const addresses = fc.oneof(
  fc.integer({ min: 0, max: END + PAGE }),
  fc.constantFrom(-1, -PAGE, 2 ** 32, 2 ** 52, 2 ** 53, 2 ** 63, 2 ** 64, 1.8e308, Infinity, -Infinity, NaN),
);

describe("MemoryRegion", () => {
  it("reaches every word of 4 GiB, the most that one shared buffer holds", () => {
    const bytes = 2 ** 32;
    // The host gives pages only as they are touched.
    const { buffer } = new WebAssembly.Memory({ initial: 65_536, maximum: 65_536, shared: true });
    const region = new MemoryRegion(gpa(bytes), bytes, buffer, 0);
    assert.deepEqual([region.bytes.length, region.words.length], [bytes, bytes / 4]);
    Atomics.store(region.words, bytes / 4 - 1, 0x1234_5678);
    assert.equal(region.view.getUint32(bytes - 4, true), 0x1234_5678);
    assert.equal(new GuestMemory([region]).region(2 * bytes - 4, 4), region);
  });
});

describe("GuestMemory", () => {
  it("finds the region that holds all of a range, with its own offsets", () => {
    const memory = machine();
    const second = memory.region(2 * PAGE, 2 * PAGE);
    assert.equal(second?.gpa, 2 * PAGE);
    second.view.setUint32(4, 0x1234_5678, true);
    assert.equal(second.words[1], 0x1234_5678);
    assert.equal(new DataView(second.buffer).getUint32(PAGE + 4, true), 0x1234_5678);
  });

  it("gives no region for holes, ends, overflows and what is not a number", () => {
    const memory = machine();
    const cases = [
      [2 * PAGE - 1, 2],
      [HOLE, 1],
      [HOLE - 4, 8],
      [END - 4, 8],
      [END, 1],
      [-1, 2],
      [2 ** 64 - 4, 8],
      [NaN, 1],
      [Infinity, 0],
    ] as const;
    for (const [at, length] of cases) assert.equal(memory.region(at, length), undefined, `${at}, ${length}`);
  });

  it("copies exactly what is all memory, and else nothing at all", () => {
    fc.assert(
      fc.property(addresses, fc.integer({ min: 1, max: 3 * PAGE }), (at, length) => {
        const memory = machine();
        const source = new Uint8Array(length).fill(0x5a);
        assert.equal(memory.write(at, source), isMemory(at, length));
        const written = memory.regions.reduce((sum, { bytes }) => sum + bytes.filter((byte) => byte !== 0).length, 0);
        assert.equal(written, isMemory(at, length) ? length : 0);
        const target = new Uint8Array(length);
        assert.equal(memory.read(at, target), isMemory(at, length));
        assert.deepEqual(target, isMemory(at, length) ? source : new Uint8Array(length));
      }),
    );
  });

  it("copies over the border of adjacent regions", () => {
    const memory = machine();
    const source = Uint8Array.from({ length: 3 * PAGE }, (_, i) => i % 251);
    assert.equal(memory.write(PAGE / 2, source), true);
    const target = new Uint8Array(source.length);
    assert.equal(memory.read(PAGE / 2, target), true);
    assert.deepEqual(target, source);
    assert.equal(memory.regions[1]?.bytes[0], source[1.5 * PAGE]);
  });

  it("fills within one region only", () => {
    const memory = machine();
    assert.equal(memory.fill(16 * PAGE, PAGE, 7), true);
    assert.equal(
      memory.regions[2]?.bytes.every((byte) => byte === 7),
      true,
    );
    assert.equal(memory.fill(END - 1, 2, 9), false);
    assert.equal(memory.regions[2].bytes.at(-1), 7);
  });

  it("asks for overlay pages only where no fixed region is, and page by page", () => {
    const asked: number[] = [];
    const overlay = new MemoryRegion(gpa(HOLE), PAGE, new SharedArrayBuffer(PAGE));
    const { regions } = machine();
    const memory = new GuestMemory(regions, {
      page(frame) {
        asked.push(frame);
        return frame === HOLE / PAGE ? overlay : undefined;
      },
    });
    assert.equal(memory.region(HOLE + 16, 32), overlay);
    assert.equal(memory.region(0, 4)?.gpa, 0);
    assert.equal(memory.region(HOLE + PAGE - 4, 8), undefined);
    assert.equal(memory.region(5 * PAGE, 8), undefined);
    assert.deepEqual(asked, [4, 5]);
    const across = new Uint8Array(16).fill(3);
    assert.equal(memory.write(HOLE - 8, across), true);
    assert.deepEqual([...overlay.bytes.subarray(0, 9)], [3, 3, 3, 3, 3, 3, 3, 3, 0]);
    assert.equal(memory.write(HOLE + PAGE - 8, across), false);
  });
});
