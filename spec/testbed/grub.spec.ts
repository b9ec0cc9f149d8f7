import assert from "node:assert/strict";
import { bootRecord, CORE_START, coreSectors, SECTOR } from "./grub.js";

const PARTITION = { start: 2048, length: 4096 };

describe("A disk's boot record", () => {
  const code = new Uint8Array(SECTOR).fill(0xaa);
  const record = bootRecord(code, PARTITION, 0x12345678);

  it("has GRUB's code, told where its core is", () => {
    assert.equal(record.length, SECTOR);
    assert.equal(record[0], 0xaa);
    assert.equal(record[0x1b7], 0xaa);
    assert.equal(record.readBigUInt64LE(0x5c), BigInt(CORE_START));
    assert.deepEqual([...record.subarray(0x64, 0x68)], [0xff, 0xaa, 0x90, 0x90]);
  });

  it("has a table of one active Linux partition, and the signatures", () => {
    assert.equal(record.readUInt32LE(0x1b8), 0x12345678);
    assert.deepEqual([...record.subarray(0x1be, 0x1c6)], [0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff]);
    assert.deepEqual([record.readUInt32LE(0x1c6), record.readUInt32LE(0x1ca)], [2048, 4096]);
    assert.ok(record.subarray(0x1ce, 0x1fe).every((byte) => byte === 0));
    assert.deepEqual([...record.subarray(0x1fe)], [0x55, 0xaa]);
  });
});

describe("GRUB's core", () => {
  it("fills whole sectors, the first of which lists the others", () => {
    const core = coreSectors(new Uint8Array(3 * SECTOR + 1).fill(7), PARTITION);
    assert.equal(core.length, 4 * SECTOR);
    assert.equal(core.readBigUInt64LE(0x1f4), BigInt(CORE_START + 1));
    assert.deepEqual([core.readUInt16LE(0x1fc), core.readUInt16LE(0x1fe)], [3, 0x820]);
    assert.deepEqual([core[3 * SECTOR], core[3 * SECTOR + 1]], [7, 0]);
  });

  it("does not reach into the partition", () => {
    const room = (PARTITION.start - CORE_START) * SECTOR;
    assert.equal(coreSectors(new Uint8Array(room), PARTITION).length, room);
    assert.throws(() => coreSectors(new Uint8Array(room + 1), PARTITION), RangeError);
  });
});
