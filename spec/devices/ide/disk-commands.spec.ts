/** [ATA-6] T13/1410D, 8 "Command descriptions"; codes and bits are those of the standard. */
import assert from "node:assert/strict";
import { disk, DISK_SECTORS, FakeStorage, IdeRig, sectors, TABLE } from "./ide-rig.js";
import type { StorageCall } from "./ide-rig.js";

function word(data: Uint8Array, index: number): number {
  return (data[2 * index] ?? 0) + (data[2 * index + 1] ?? 0) * 256;
}

function filled(count: number, byte: number): Uint8Array {
  return new Uint8Array(count * 512).fill(byte);
}

/** Cylinder, head and sector in the task file, then the command. */
function chs(rig: IdeRig, command: number, address: readonly [cylinder: number, head: number, sector: number]): void {
  const [cylinder, head, sector] = address;
  rig.out(0x1f6, 0xa0 | head);
  rig.out(0x1f2, 1);
  rig.out(0x1f3, sector);
  rig.out(0x1f4, cylinder & 0xff);
  rig.out(0x1f5, cylinder >>> 8);
  rig.out(0x1f7, command);
}

describe("DiskCommands", () => {
  describe("READ SECTORS", () => {
    it("gives one sector with one interrupt", () => {
      const rig = new IdeRig();
      rig.lba28(0x20, 300, 1);
      assert.equal(rig.irqs[0].edges, 1);
      assert.equal(rig.in(0x1f7), 0x58);
      assert.deepEqual(rig.data(512), sectors(300, 1));
      assert.deepEqual([rig.in(0x1f7), rig.irqs[0].edges], [0x50, 1]);
    });

    it("has the next sector ready at once, from one call to the storage", () => {
      const rig = new IdeRig();
      rig.lba28(0x20, 10, 100);
      rig.automatic = false;
      for (let sector = 0; sector < 100; sector++) {
        assert.equal(rig.in(0x1f7), 0x58);
        assert.deepEqual(rig.data(512, 4), sectors(10 + sector, 1));
      }
      assert.deepEqual([rig.in(0x1f7), rig.irqs[0].edges], [0x50, 100]);
      assert.deepEqual(rig.storage.calls, [["read", 10, 100]]);
    });

    it("takes a count of 0 for 256 (I7)", () => {
      const rig = new IdeRig();
      rig.lba28(0x20, 0, 0);
      assert.deepEqual(rig.data(256 * 512), sectors(0, 256));
      assert.equal(rig.status, 0x50);
      assert.deepEqual(rig.storage.calls, [
        ["read", 0, 128],
        ["read", 128, 128],
      ]);
    });

    it("gives a word for a byte access to the data port (I16)", () => {
      const rig = new IdeRig();
      rig.lba28(0x20, 0x1234, 1);
      assert.deepEqual([rig.in(0x1f0), rig.in(0x1f0), rig.in(0x1f0, 2)], [0x34, 0x34, 0x1234]);
    });

    it("goes no further than the block when the data port is read on (I11)", () => {
      const rig = new IdeRig();
      rig.lba28(0x20, 7, 1);
      const bytes = rig.data(65_536);
      assert.deepEqual(bytes.subarray(0, 512), sectors(7, 1));
      assert.deepEqual(bytes.subarray(512), new Uint8Array(65_024).fill(0xff));
    });
  });

  it("reads cylinder, head and sector", () => {
    const rig = new IdeRig();
    chs(rig, 0x20, [2, 3, 4]);
    assert.deepEqual(rig.data(512), sectors((2 * 16 + 3) * 63 + 3, 1));
  });

  const noSuchSector: readonly (readonly [number, number, number])[] = [
    [0, 0, 0],
    [0, 0, 64],
    [19, 0, 1],
    [65_535, 15, 63],
  ];
  for (const address of noSuchSector) {
    it(`finds no sector at ${address.join("/")} of 19/16/63`, () => {
      const rig = new IdeRig();
      chs(rig, 0x20, address);
      assert.deepEqual([rig.in(0x1f7), rig.error, rig.storage.calls], [0x51, 0x10, []]);
    });
  }

  it("translates as INITIALIZE DEVICE PARAMETERS says", () => {
    const rig = new IdeRig();
    rig.out(0x1f6, 0xa0 | 7);
    rig.out(0x1f2, 17);
    rig.out(0x1f7, 0x91);
    chs(rig, 0x20, [2, 3, 4]);
    assert.deepEqual(rig.data(512), sectors((2 * 8 + 3) * 17 + 3, 1));
    rig.out(0x1f7, 0xec);
    const identity = rig.data(512);
    assert.deepEqual([word(identity, 54), word(identity, 55), word(identity, 56)], [147, 8, 17]);
    rig.out(0x1f2, 0);
    rig.out(0x1f7, 0x91);
    assert.equal(rig.in(0x1f7), 0x51);
  });

  it("reads with 48-bit addresses", () => {
    const rig = new IdeRig({ primary: [disk({ sectors: 0x1_2345_6789 }), undefined] });
    rig.lba48(0x24, 0x1_2345_6780, 2);
    assert.deepEqual(rig.data(1024), sectors(0x1_2345_6780, 2));
    assert.deepEqual(rig.storage.calls, [["read", 0x1_2345_6780, 2]]);
  });

  it("takes an extended count of 0 for 65,536 (I7)", () => {
    const rig = new IdeRig({ primary: [disk({ sectors: 65_536 }), undefined] });
    rig.storage.idle = true;
    rig.lba48(0x42, 0, 0);
    assert.equal(rig.in(0x1f7), 0x50);
    const total = rig.storage.calls.reduce((sum, [, , count]) => sum + count, 0);
    assert.deepEqual([rig.storage.calls.length, total], [512, 65_536]);
  });

  describe("past the end (I7)", () => {
    const commands = [0x20, 0xc8, 0x30, 0xca, 0x40];
    for (const command of commands) {
      it(`finds nothing by command 0x${command.toString(16)}, and touches nothing`, () => {
        const rig = new IdeRig();
        rig.lba28(command, DISK_SECTORS - 1, 2);
        assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x10]);
        // The first sector that is not there.
        const lba = rig.in(0x1f3) + rig.in(0x1f4) * 256 + rig.in(0x1f5) * 65_536;
        assert.deepEqual([lba, rig.storage.calls], [DISK_SECTORS, []]);
      });
    }

    it("finds nothing by 48-bit addresses up to the highest", () => {
      const rig = new IdeRig();
      for (const sector of [DISK_SECTORS, 2 ** 28, 2 ** 32, 2 ** 48 - 1]) {
        rig.lba48(0x24, sector, 0);
        assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x10]);
      }
      assert.deepEqual(rig.storage.calls, []);
    });

    it("reads the last sector", () => {
      const rig = new IdeRig();
      rig.lba28(0x20, DISK_SECTORS - 1, 1);
      assert.deepEqual(rig.data(512), sectors(DISK_SECTORS - 1, 1));
    });
  });

  describe("WRITE SECTORS", () => {
    it("asks for the first sector without an interrupt, and interrupts when all is written (9.6)", () => {
      const rig = new IdeRig();
      rig.lba28(0x30, 20, 1);
      assert.deepEqual([rig.in(0x1f7), rig.irqs[0].edges], [0x58, 0]);
      rig.give(filled(1, 0xab));
      assert.deepEqual([rig.irqs[0].level, rig.in(0x1f7)], [1, 0x50]);
      assert.deepEqual(rig.storage.sector(20), filled(1, 0xab));
    });

    it("gathers sectors for one call to the storage", () => {
      const rig = new IdeRig();
      rig.lba28(0x30, 20, 200);
      for (let sector = 0; sector < 200; sector++) {
        assert.equal(rig.in(0x1f7), 0x58);
        rig.give(filled(1, sector));
      }
      assert.deepEqual(rig.storage.calls, [
        ["write", 20, 128],
        ["write", 148, 72],
      ]);
      assert.deepEqual(rig.storage.sector(20 + 199), filled(1, 199));
    });

    it("flushes when the write cache is off", () => {
      const rig = new IdeRig();
      rig.out(0x1f1, 0x82);
      rig.out(0x1f7, 0xef);
      rig.lba28(0x30, 20, 1);
      rig.give(filled(1, 1));
      assert.deepEqual(rig.storage.calls, [
        ["write", 20, 1],
        ["flush", 0, 0],
      ] satisfies StorageCall[]);
    });

    it("aborts on a read-only disk", () => {
      const rig = new IdeRig({ primary: [disk({ readOnly: true }), undefined] });
      rig.lba28(0x30, 20, 1);
      assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x04]);
    });
  });

  describe("multiple sectors in a block", () => {
    function multiple(rig: IdeRig, count: number): number {
      rig.out(0x1f6, 0xe0);
      rig.out(0x1f2, count);
      rig.out(0x1f7, 0xc6);
      return rig.in(0x1f7);
    }

    it("interrupts once for each block, the last one short", () => {
      const rig = new IdeRig();
      multiple(rig, 8);
      const before = rig.irqs[0].edges;
      rig.lba28(0xc4, 50, 20);
      for (const block of [8, 8, 4]) {
        assert.equal(rig.in(0x1f7), 0x58);
        rig.data(block * 512);
      }
      assert.deepEqual([rig.in(0x1f7), rig.irqs[0].edges - before], [0x50, 3]);
    });

    it("writes in blocks", () => {
      const rig = new IdeRig();
      multiple(rig, 16);
      rig.lba28(0xc5, 50, 20);
      rig.give(filled(20, 7));
      assert.equal(rig.in(0x1f7), 0x50);
      assert.deepEqual(rig.storage.sector(69), filled(1, 7));
    });

    it("takes powers of two up to 16, and 0 to switch it off (I12)", () => {
      const rig = new IdeRig();
      const accepted = Array.from({ length: 256 }, (_, count) => count).filter(
        (count) => multiple(rig, count) === 0x50,
      );
      assert.deepEqual(accepted, [0, 1, 2, 4, 8, 16]);
    });

    it("aborts while the mode is off", () => {
      const rig = new IdeRig();
      multiple(rig, 0);
      for (const command of [0xc4, 0xc5, 0x29, 0x39, 0xce]) {
        rig.lba28(command, 0, 1);
        assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x04]);
      }
    });
  });

  describe("when the storage fails", () => {
    it("gives the sectors before the bad one, then UNC and its address", () => {
      const rig = new IdeRig();
      rig.storage.bad.set(1002, 5);
      rig.lba28(0x20, 1000, 8);
      assert.deepEqual(rig.data(1024), sectors(1000, 2));
      assert.deepEqual([rig.in(0x1f7), rig.error, rig.in(0x1f3), rig.in(0x1f4)], [0x51, 0x40, 1002 % 256, 3]);
      rig.lba28(0x20, 1003, 1);
      assert.deepEqual(rig.data(512), sectors(1003, 1));
    });

    it("shows the address of a 48-bit command's bad sector in both bytes of each register", () => {
      const rig = new IdeRig({ primary: [disk({ sectors: 0x1_2345_6789 }), undefined] });
      rig.storage.bad.set(0x1_2345_6780, 5);
      rig.lba48(0x24, 0x1_2345_6780, 1);
      assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x40]);
      const low = [0x1f3, 0x1f4, 0x1f5].map((port) => rig.in(port));
      rig.out(0x3f6, 0x80);
      const high = [0x1f3, 0x1f4, 0x1f5].map((port) => rig.in(port));
      assert.deepEqual([...low, ...high], [0x80, 0x67, 0x45, 0x23, 0x01, 0x00]);
    });

    it("reports a full host on a write", () => {
      const rig = new IdeRig();
      rig.storage.bad.set(31, 28);
      rig.lba28(0x30, 30, 4);
      rig.give(filled(4, 9));
      assert.deepEqual([rig.in(0x1f7), rig.error, rig.in(0x1f3)], [0x51, 0x40, 31]);
      assert.deepEqual(rig.storage.sector(30), filled(1, 9));
      assert.deepEqual(rig.storage.sector(32), FakeStorage.pattern(32));
    });

    it("reports a flush that failed", () => {
      const rig = new IdeRig();
      rig.storage.bad.set(-1, 5);
      rig.out(0x1f7, 0xe7);
      assert.equal(rig.in(0x1f7), 0x51);
    });
  });

  it("flushes", () => {
    const rig = new IdeRig();
    rig.out(0x1f7, 0xe7);
    rig.out(0x1f7, 0xea);
    assert.deepEqual([rig.storage.calls.length, rig.in(0x1f7)], [2, 0x50]);
  });

  it("finds its last sector for READ NATIVE MAX ADDRESS", () => {
    const rig = new IdeRig({ primary: [disk({ sectors: 0x1_0000_0000 }), undefined] });
    rig.lba28(0xf8, 0, 0);
    assert.deepEqual(
      [0x1f3, 0x1f4, 0x1f5, 0x1f6].map((port) => rig.in(port)),
      [0xfe, 0xff, 0xff, 0xef],
    );
    rig.lba48(0x27, 0, 0);
    assert.deepEqual([rig.in(0x1f3), rig.in(0x1f7)], [0xff, 0x50]);
  });

  it("knows its power mode", () => {
    const rig = new IdeRig();
    const mode = (): number => {
      rig.out(0x1f7, 0xe5);
      return rig.in(0x1f2);
    };
    assert.equal(mode(), 0xff);
    rig.out(0x1f7, 0xe0);
    assert.equal(mode(), 0x00);
    rig.lba28(0x20, 0, 1);
    rig.data(512);
    assert.equal(mode(), 0xff);
  });

  describe("SMART", () => {
    function smart(rig: IdeRig, features: number, key: readonly [number, number] = [0x4f, 0xc2]): number {
      rig.out(0x1f1, features);
      rig.out(0x1f4, key[0]);
      rig.out(0x1f5, key[1]);
      rig.out(0x1f7, 0xb0);
      return rig.in(0x1f7);
    }

    it("says that all is well", () => {
      const rig = new IdeRig();
      assert.equal(smart(rig, 0xda), 0x50);
      assert.deepEqual([rig.in(0x1f4), rig.in(0x1f5)], [0x4f, 0xc2]);
    });

    for (const features of [0xd0, 0xd1]) {
      it(`gives a page whose bytes add up to 0 (0x${features.toString(16)})`, () => {
        const rig = new IdeRig();
        assert.equal(smart(rig, features), 0x58);
        const page = rig.data(512);
        assert.equal(page.reduce((sum, byte) => sum + byte, 0) % 256, 0);
        assert.deepEqual([page[0], page[2], page[14], page[26]], [0x10, 1, 5, 197]);
      });
    }

    it("answers nothing without its key, or while it is off", () => {
      const rig = new IdeRig();
      assert.equal(smart(rig, 0xda, [0, 0]), 0x51);
      assert.equal(smart(rig, 0xd9), 0x50);
      assert.equal(smart(rig, 0xd0), 0x51);
      assert.equal(smart(rig, 0xd8), 0x50);
      assert.equal(smart(rig, 0xda), 0x50);
    });

    it("aborts what it does not have", () => {
      const rig = new IdeRig();
      for (const features of [0xd4, 0xd5, 0xd6, 0x00]) assert.equal(smart(rig, features), 0x51);
    });
  });

  describe("DATA SET MANAGEMENT", () => {
    function trim(rig: IdeRig, ranges: readonly (readonly [sector: number, count: number])[]): void {
      ranges.forEach(([sector, count], i) => {
        rig.region.view.setBigUint64(0x8000 + i * 8, BigInt(sector) + (BigInt(count) << 48n), true);
      });
      rig.table([0x8000, 512, 0x8000]);
      rig.out(0x1f1, 1);
      rig.lba48(0x06, 0, 1);
      rig.startMaster(0x01, TABLE);
    }

    it("frees ranges", () => {
      const rig = new IdeRig();
      trim(rig, [
        [8, 16],
        [1000, 65],
      ]);
      assert.deepEqual(rig.storage.calls, [
        ["discard", 8, 16],
        ["discard", 1000, 65],
      ]);
      assert.deepEqual([rig.in(0x1f7), rig.masterStatus], [0x50, 0x04]);
    });

    it("frees nothing when one range is past the end (I13)", () => {
      const rig = new IdeRig();
      trim(rig, [
        [8, 16],
        [DISK_SECTORS - 1, 2],
      ]);
      assert.deepEqual([rig.in(0x1f7), rig.error, rig.storage.calls], [0x51, 0x04, []]);
    });

    it("aborts where storage keeps all, for other features, and for too many blocks", () => {
      const keeps = new IdeRig({ primary: [disk({ discards: false }), undefined] });
      trim(keeps, [[0, 1]]);
      assert.equal(keeps.in(0x1f7), 0x51);
      const rig = new IdeRig();
      for (const [features, count] of [
        [0, 1],
        [1, 0],
        [1, 9],
        [1, 65_535],
      ] as const) {
        rig.out(0x1f1, features);
        rig.lba48(0x06, 0, count);
        assert.equal(rig.in(0x1f7), 0x51);
      }
    });
  });

  it("aborts what packet devices do", () => {
    const rig = new IdeRig();
    for (const command of [0xa0, 0xa1, 0x08, 0x00]) {
      rig.out(0x1f7, command);
      assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x04]);
    }
  });
});
