import assert from "node:assert/strict";
import { describe, it } from "mocha";
import {
  BLKIF_ABIS,
  BlkifOp,
  BlkifStatus,
  VdiskInfo,
  blkifSegment,
  ringSlots,
} from "../../../devices/xen-disk/blkif-abi.js";

// Numbers from blkif.h and ring.h, compiled with gcc -m64 and -m32.
describe("blkif structs", () => {
  it("have the sizes and offsets of x86_64", () => {
    const { slotSize, request, discard, indirect } = BLKIF_ABIS["x86_64-abi"];
    assert.deepEqual([slotSize, request.size, discard.size, indirect.size], [112, 112, 32, 64]);
    assert.deepEqual([request.offsets.idLow, request.offsets.sectorNumber, request.offsets.segments], [8, 16, 24]);
    assert.deepEqual([discard.offsets.idLow, discard.offsets.sectorNumber, discard.offsets.nrSectors], [8, 16, 24]);
    assert.deepEqual([indirect.offsets.nrSegments, indirect.offsets.idLow, indirect.offsets.sectorNumber], [2, 8, 16]);
    assert.deepEqual([indirect.offsets.handle, indirect.offsets.firstIndirectGref], [24, 28]);
  });

  it("have the sizes and offsets of x86_32", () => {
    const { slotSize, request, discard, indirect } = BLKIF_ABIS["x86_32-abi"];
    assert.deepEqual([slotSize, request.size, discard.size, indirect.size], [108, 108, 28, 64]);
    assert.deepEqual([request.offsets.idLow, request.offsets.sectorNumber, request.offsets.segments], [4, 12, 20]);
    assert.deepEqual([discard.offsets.idLow, discard.offsets.sectorNumber, discard.offsets.nrSectors], [4, 12, 20]);
    assert.deepEqual([indirect.offsets.nrSegments, indirect.offsets.idLow, indirect.offsets.sectorNumber], [2, 4, 12]);
    assert.deepEqual([indirect.offsets.handle, indirect.offsets.firstIndirectGref], [20, 24]);
  });

  it("have segments of 8 bytes in both", () => {
    assert.deepEqual(blkifSegment.offsets, { gref: 0, firstSect: 4, lastSect: 5 });
    assert.equal(blkifSegment.size, 8);
  });
});

describe("blkif codes", () => {
  it("are those of blkif.h", () => {
    assert.deepEqual(BlkifOp, { read: 0, write: 1, writeBarrier: 2, flushDiskcache: 3, discard: 5, indirect: 6 });
    assert.deepEqual(BlkifStatus, { okay: 0, error: -1, notSupported: -2 });
    assert.deepEqual(VdiskInfo, { cdrom: 1, removable: 2, readOnly: 4 });
  });
});

describe("ringSlots()", () => {
  for (const abi of [BLKIF_ABIS["x86_64-abi"], BLKIF_ABIS["x86_32-abi"]]) {
    it(`gives __RING_SIZE for each order of pages, ${abi.name}`, () => {
      const slots = [1, 2, 4, 8, 16].map((pages) => ringSlots(abi, pages));
      assert.deepEqual(slots, [32, 64, 128, 256, 512]);
    });
  }
});
