import assert from "node:assert/strict";
import { allocate } from "../../../actors/host/host-memory.js";
import { Iovecs } from "../../../actors/host/iovecs.js";
import { gpa } from "../../../shared/brand.js";
import { MemoryRegion } from "../../../shared/memory.js";
import { hostFixture } from "../../support/host-fixture.js";

describe("Iovecs", () => {
  const host = hostFixture();
  const guest = allocate(host.libc, 65_536);
  /** Guest memory from 4096 of the buffer on. */
  const ram = new MemoryRegion(gpa(0x10_0000), 32_768, guest.buffer, 4096);
  const segments = {
    segmentCount: 3,
    regions: [ram, ram, ram],
    offsets: Float64Array.of(0, 0x1000, 0x2000),
    lengths: Uint32Array.of(100, 0, 50),
  };

  function made(capacity: number): Iovecs {
    return new Iovecs(
      { scratch: host.scratch, addressOf: (buffer) => (buffer === guest.buffer ? guest.hva : 0) },
      capacity,
    );
  }

  /** `[base - guest memory's address, length]` of each entry, as the kernel reads them. */
  function entries(list: Iovecs): readonly (readonly [number, number])[] {
    const { memory } = host.scratch;
    const view = new DataView(memory.buffer, list.hva - memory.hva);
    return Array.from({ length: list.count }, (_, i) => [
      Number(view.getBigUint64(i * 16, true)) - guest.hva,
      Number(view.getBigUint64(i * 16 + 8, true)),
    ]);
  }

  it("lists the pieces where the host has them, and leaves empty ones out", () => {
    const list = made(8);
    list.gather(segments, 0, Infinity);
    assert.deepEqual(entries(list), [
      [4096, 100],
      [4096 + 0x2000, 50],
    ]);
  });

  it("starts and ends inside a piece", () => {
    const list = made(8);
    list.gather(segments, 99, 11);
    assert.deepEqual(entries(list), [
      [4096 + 99, 1],
      [4096 + 0x2000, 10],
    ]);
  });

  it("lists nothing behind the last piece", () => {
    const list = made(8);
    list.gather(segments, 150, 10);
    assert.deepEqual(entries(list), []);
  });

  it("goes on behind what it has, until it is cleared", () => {
    const list = made(8);
    list.add(guest.hva + 7, 4);
    list.gather(segments, 0, 1);
    assert.deepEqual(entries(list), [
      [7, 4],
      [4096, 1],
    ]);
    list.clear();
    assert.equal(list.count, 0);
  });

  it("takes no more than it has room for", () => {
    const list = made(1);
    list.gather(segments, 0, Infinity);
    assert.deepEqual(entries(list), [[4096, 100]]);
  });

  it("takes pieces one by one, makes those that touch one, and says when it is full", () => {
    const other = new MemoryRegion(gpa(0x20_0000), 4096, guest.buffer, 4096 + 32_768);
    const list = made(2);
    const took = (
      [
        [ram, 0, 512],
        [ram, 512, 512],
        [ram, 32_256, 512],
        [other, 0, 512],
        [other, 1024, 512],
      ] as const
    ).map(([region, offset, length]) => list.addPiece(region, offset, length));
    assert.deepEqual(took, [true, true, true, true, false]);
    assert.deepEqual(entries(list), [
      [4096, 1024],
      [4096 + 32_256, 1024],
    ]);
    list.clear();
    assert.equal(list.addPiece(other, 512, 100), true);
    assert.deepEqual(entries(list), [[4096 + 32_768 + 512, 100]]);
  });
});
