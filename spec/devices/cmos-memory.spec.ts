import assert from "node:assert/strict";
import { fillMemorySizes } from "../../devices/cmos-memory.js";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

function filled(lowRamBytes: number, highRamBytes: number, vcpus: number, bootOrder = "cdn"): Uint8Array {
  const cmos = new Uint8Array(128);
  fillMemorySizes(cmos, { lowRamBytes, highRamBytes, vcpus, bootOrder });
  return cmos;
}

describe("fillMemorySizes()", () => {
  it("says 640 KiB and what is above 1 MiB, in KiB", () => {
    const cmos = filled(16 * MIB, 0, 1);
    assert.deepEqual([...cmos.subarray(0x15, 0x19)], [0x80, 0x02, 0x00, 0x3c]);
    assert.deepEqual([...cmos.subarray(0x30, 0x32)], [0x00, 0x3c]);
  });

  it("stops at 65535 KiB and counts the rest in units of 64 KiB", () => {
    const cmos = filled(3.5 * GIB, 2 * GIB, 4);
    assert.deepEqual([...cmos.subarray(0x17, 0x19)], [0xff, 0xff]);
    assert.deepEqual([...cmos.subarray(0x34, 0x36)], [0x00, 0xdf]);
    assert.deepEqual([...cmos.subarray(0x5b, 0x5e)], [0x00, 0x80, 0x00]);
    assert.equal(cmos[0x5f], 3);
  });

  it("has the order of boot devices in half bytes: floppy 1, disk 2, CD 3, network 4", () => {
    const orders = ["cdn", "da", "n", ""].map((order) => {
      const cmos = filled(MIB, 0, 1, order);
      return [cmos[0x3d], cmos[0x38]];
    });
    assert.deepEqual(orders, [
      [0x32, 0x40],
      [0x13, 0x00],
      [0x04, 0x00],
      [0x00, 0x00],
    ]);
  });

  it("has another order of boot devices at power-on, where there is one", () => {
    const board = { lowRamBytes: MIB, highRamBytes: 0, vcpus: 1, bootOrder: "cdn", bootOnce: "d" };
    const orders = [true, false].map((powerOn) => {
      const cmos = new Uint8Array(128);
      fillMemorySizes(cmos, board, powerOn);
      return [cmos[0x3d], cmos[0x38]];
    });
    assert.deepEqual(orders, [
      [0x03, 0x00],
      [0x32, 0x40],
    ]);
  });

  it("adds up to its checksum", () => {
    const cmos = filled(512 * MIB, 0, 1);
    const sum = cmos.subarray(0x10, 0x2e).reduce((total, byte) => total + byte, 0);
    assert.equal((cmos[0x2e] ?? 0) * 256 + (cmos[0x2f] ?? 0), sum);
  });
});
