/** IDENTIFY DEVICE's words, by number: [ATA-6] T13/1410D, table 27; [ACS-2] T13/2015-D, table 29 */
import assert from "node:assert/strict";
import { disk, IdeRig } from "./ide-rig.js";

function identify(rig: IdeRig, device = 0xe0): (index: number) => number {
  rig.out(0x1f6, device);
  rig.out(0x1f7, 0xec);
  assert.equal(rig.in(0x1f7), 0x58);
  const data = rig.data(512);
  assert.equal(data.reduce((sum, byte) => sum + byte, 0) % 256, 0, "checksum");
  return (index) => (data[2 * index] ?? 0) + (data[2 * index + 1] ?? 0) * 256;
}

function text(word: (index: number) => number, first: number, count: number): string {
  const codes = Array.from({ length: count }, (_, i) => word(first + i)).flatMap((pair) => [pair >>> 8, pair & 0xff]);
  return String.fromCharCode(...codes).trimEnd();
}

describe("identifyDisk()", () => {
  it("describes a disk of some 100 GB", () => {
    const word = identify(new IdeRig({ primary: [disk({ sectors: 200_000_000 }), undefined] }));
    assert.equal(word(0) & 0x8000, 0);
    assert.deepEqual([word(1), word(3), word(6)], [16_383, 16, 63]);
    assert.deepEqual(
      [text(word, 10, 10), text(word, 23, 4), text(word, 27, 20)],
      ["XL00001", "1.0", "XENOLITH HARDDISK"],
    );
    assert.deepEqual([word(47), word(49) & 0x0300], [0x8010, 0x0300]);
    assert.equal(word(60) + word(61) * 65_536, 200_000_000);
    assert.equal(word(100) + word(101) * 65_536, 200_000_000);
    assert.deepEqual([word(102), word(103)], [0, 0]);
  });

  it("admits to 2^28 - 1 sectors where only 28 bits are, and to all elsewhere", () => {
    const word = identify(new IdeRig({ primary: [disk({ sectors: 0x1_2345_6789 }), undefined] }));
    assert.equal(word(60) + word(61) * 65_536, 0x0fff_ffff);
    assert.deepEqual([word(100), word(101), word(102), word(103)], [0x6789, 0x2345, 0x0001, 0]);
  });

  it("has a cylinder, whatever the size", () => {
    const word = identify(new IdeRig({ primary: [disk({ sectors: 1 }), undefined] }));
    assert.deepEqual([word(1), word(60), word(57)], [1, 1, 1]);
  });

  it("announces what it does: 48 bits, flush, FUA, write cache, look-ahead, SMART", () => {
    const word = identify(new IdeRig());
    assert.deepEqual([word(82), word(83), word(84)], [0x4069, 0x7400, 0x4040]);
    assert.deepEqual([word(85), word(86), word(87)], [0x4069, 0x3400, 0x4040]);
  });

  it("shows settings as they were made", () => {
    const rig = new IdeRig();
    for (const [features, count] of [
      [0x82, 0],
      [0x55, 0],
      [0x03, 0x22],
    ] as const) {
      rig.out(0x1f1, features);
      rig.out(0x1f2, count);
      rig.out(0x1f7, 0xef);
    }
    const word = identify(rig);
    assert.deepEqual([word(85), word(63), word(88)], [0x4009, 0x0407, 0x003f]);
  });

  it("starts with Ultra DMA 5", () => {
    const word = identify(new IdeRig());
    assert.deepEqual([word(63), word(88)], [0x0007, 0x203f]);
  });

  it("announces TRIM where storage can free space", () => {
    const word = identify(new IdeRig({ primary: [disk({ discards: true }), disk({ discards: false })] }));
    assert.deepEqual([word(69), word(105), word(169)], [0x4020, 8, 1]);
    const other = identify(new IdeRig({ primary: [undefined, disk({ discards: false })] }), 0xf0);
    assert.deepEqual([other(69), other(105), other(169)], [0, 0, 0]);
  });

  it("says what the reset found for drive 0 and 1", () => {
    const rig = new IdeRig({ primary: [disk(), disk()] });
    assert.deepEqual([identify(rig)(93), identify(rig, 0xf0)(93)], [0x600b, 0x6b00]);
  });
});
