import assert from "node:assert/strict";
import { fillMemorySizes } from "../../devices/cmos-memory.js";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

function filled(lowRamBytes: number, highRamBytes: number, vcpus: number): Uint8Array {
  const cmos = new Uint8Array(128);
  fillMemorySizes(cmos, { lowRamBytes, highRamBytes, vcpus });
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

  it("adds up to its checksum", () => {
    const cmos = filled(512 * MIB, 0, 1);
    const sum = cmos.subarray(0x10, 0x2e).reduce((total, byte) => total + byte, 0);
    assert.equal((cmos[0x2e] ?? 0) * 256 + (cmos[0x2f] ?? 0), sum);
  });
});
