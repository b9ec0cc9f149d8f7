import assert from "node:assert/strict";
import fc from "fast-check";
import { parseVdev, xvdName } from "../../../shared/config/vdev.js";

describe("parseVdev()", () => {
  // Numbers worked out from xen-vbd-interface(7), "Concrete encoding in the VBD interface".
  const names: readonly [string, number][] = [
    ["xvda", 202 * 256],
    ["xvda1", 202 * 256 + 1],
    ["xvdb3", 202 * 256 + 16 + 3],
    ["xvdp15", 202 * 256 + 15 * 16 + 15],
    ["xvda16", 0x1000_0000 + 16],
    ["xvdq", 0x1000_0000 + 16 * 256],
    ["xvdaa2", 0x1000_0000 + 26 * 256 + 2],
    ["hda", 3 * 256],
    ["hdb1", 3 * 256 + 64 + 1],
    ["hdc", 22 * 256],
    ["hdd63", 22 * 256 + 64 + 63],
    ["sda", 8 * 256],
    ["sdp15", 8 * 256 + 15 * 16 + 15],
    ["d0", 202 * 256],
    ["d1p2", 202 * 256 + 16 + 2],
    ["d1048575", 0x1000_0000 + 1_048_575 * 256],
    ["d1048575p255", 0x1000_0000 + 1_048_575 * 256 + 255],
  ];
  for (const [name, number] of names) {
    it(`numbers ${name} 0x${number.toString(16)}`, () => {
      assert.deepEqual(parseVdev(name), { name, number });
    });
  }

  const nonsense = [
    "",
    "xvd",
    "xvda256",
    "xvda01",
    "hde",
    "hda64",
    "sdq",
    "sdz99",
    "sda16",
    "d1048576",
    "d1p256",
    "d01",
    "vda",
    "XVDA",
    "xvda 1",
  ];
  for (const name of nonsense) {
    it(`does not know ${JSON.stringify(name)}`, () => {
      assert.equal(parseVdev(name), undefined);
    });
  }

  it("numbers 20-bit disks and 8-bit partitions differently, all of them", () => {
    const place = fc.record({ disk: fc.nat(1_048_575), partition: fc.nat(255) });
    fc.assert(
      fc.property(place, place, (a, b) => {
        const same = a.disk === b.disk && a.partition === b.partition;
        const numbers = [a, b].map(({ disk, partition }) => parseVdev(`d${disk}p${partition}`)?.number);
        assert.equal(numbers[0] === numbers[1], same);
      }),
    );
  });
});

describe("xvdName()", () => {
  it("counts a to z, then aa", () => {
    assert.deepEqual([0, 1, 25, 26, 27, 701, 702].map(xvdName), [
      "xvda",
      "xvdb",
      "xvdz",
      "xvdaa",
      "xvdab",
      "xvdzz",
      "xvdaaa",
    ]);
  });

  it("is read back as the same disk", () => {
    fc.assert(
      fc.property(fc.nat(1_048_575), (disk) => {
        assert.equal(parseVdev(xvdName(disk))?.number, parseVdev(`d${disk}`)?.number);
      }),
    );
  });
});
