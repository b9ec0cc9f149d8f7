import assert from "node:assert/strict";
import { buildE820, encodeE820, firmwareE820 } from "../../../devices/boot/e820.js";

const GIB = 1024 ** 3;

function rows(ramBytes: number): readonly (readonly [number, number, number])[] {
  return buildE820(ramBytes).map(({ base, length, type }) => [base, length, type]);
}

describe("buildE820()", () => {
  it("lists a small machine's RAM around the legacy areas", () => {
    assert.deepEqual(rows(0.5 * GIB), [
      [0, 0x9_fc00, 1],
      [0x9_fc00, 0x400, 2],
      [0xe_0000, 0x2_0000, 2],
      [0x10_0000, 0x1ff0_0000, 1],
      [0xfeff_8000, 0x4000, 2],
      [0xfeff_c000, 0x4000, 2],
    ]);
  });

  it("continues above 4 GiB what does not fit below the PCI window", () => {
    assert.deepEqual(rows(6 * GIB).slice(3), [
      [0x10_0000, 0xdff0_0000, 1],
      [0xfeff_8000, 0x4000, 2],
      [0xfeff_c000, 0x4000, 2],
      [0x1_0000_0000, 2.5 * GIB, 1],
    ]);
  });

  it("has no empty rows", () => {
    assert.ok(rows(1024 * 1024).every(([, length]) => length > 0));
  });
});

describe("firmwareE820()", () => {
  it("has RAM in one piece below the PCI window: firmware takes its own parts out of it", () => {
    assert.deepEqual(
      firmwareE820(0.5 * GIB).map(({ base, length, type }) => [base, length, type]),
      [
        [0, 0.5 * GIB, 1],
        [0xfeff_8000, 0x4000, 2],
        [0xfeff_c000, 0x4000, 2],
      ],
    );
  });
});

describe("encodeE820()", () => {
  it("gives each entry 20 bytes", () => {
    const bytes = encodeE820(firmwareE820(4 * GIB));
    assert.equal(bytes.length, 80);
    assert.deepEqual([...bytes.subarray(60)], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0]);
  });
});
