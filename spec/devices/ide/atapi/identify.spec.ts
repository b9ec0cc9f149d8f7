/** [ATA-6] 8.16 IDENTIFY PACKET DEVICE */
import assert from "node:assert/strict";
import { PacketDriver } from "./packet-driver.js";

describe("Cdrom's IDENTIFY PACKET DEVICE", () => {
  const target = new Uint8Array(512).fill(0xee);
  new PacketDriver().drive.identify(target);
  const word = (index: number): number => new DataView(target.buffer).getUint16(2 * index, true);
  const text = (index: number, count: number): string =>
    Buffer.from(target.subarray(2 * index, 2 * (index + count)))
      .swap16()
      .toString("latin1");

  it("says what the device is: packets of 12 bytes, removable, type 5", () => {
    assert.equal(word(0), 0x85c0);
  });

  it("tells serial number, firmware and model", () => {
    assert.deepEqual(
      [text(10, 10), text(23, 4), text(27, 20)],
      ["XL00003".padEnd(20), "1.0".padEnd(8), "XENOLITH DVD-ROM".padEnd(40)],
    );
  });

  it("tells of DMA and LBA, of valid words, of the PACKET feature set", () => {
    assert.deepEqual(
      [word(49) & 0x0300, word(53) & 6, word(82) & 0x10, word(85) & 0x10, word(83) >> 14, word(87) >> 14],
      [0x0300, 6, 0x10, 0x10, 1, 1],
    );
  });

  it("leaves the DMA modes to the channel", () => {
    assert.deepEqual([word(63), word(88)], [0, 0]);
  });
});
