/** [ATA-6] T13/1410D, AT Attachment with Packet Interface 6 */
import assert from "node:assert/strict";
import { disk, IdeRig, sectors } from "./ide-rig.js";

describe("IdeChannel", () => {
  describe("with one disk", () => {
    it("shows the signature of a disk after power-on (9.12)", () => {
      const rig = new IdeRig();
      const registers = [1, 2, 3, 4, 5, 6, 7].map((offset) => rig.in(0x1f0 + offset));
      assert.deepEqual(registers, [0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x50]);
    });

    it("shows drive 1 as absent: status 0, a command to it ignored (9.16.1, I8)", () => {
      const rig = new IdeRig();
      rig.out(0x1f6, 0xb0);
      for (const command of [0xec, 0x20, 0xe7, 0xf8, 0x27, 0xea, 0xc8]) {
        rig.out(0x1f7, command);
        assert.equal(rig.in(0x1f7), 0);
      }
      assert.equal(rig.irqs[0].edges, 0);
    });

    it("keeps what is written to the command block, as probes want to see", () => {
      const rig = new IdeRig();
      rig.out(0x1f2, 0x55);
      rig.out(0x1f3, 0xaa);
      assert.deepEqual([rig.in(0x1f2), rig.in(0x1f3)], [0x55, 0xaa]);
    });

    it("gives the content before the last write with HOB, until the next write (7.8)", () => {
      const rig = new IdeRig();
      rig.out(0x1f3, 0x11);
      rig.out(0x1f3, 0x22);
      rig.out(0x3f6, 0x80);
      assert.equal(rig.in(0x1f3), 0x11);
      rig.out(0x1f2, 0);
      assert.equal(rig.in(0x1f3), 0x22);
    });

    it("aborts a command that it does not know", () => {
      const rig = new IdeRig();
      rig.out(0x1f7, 0xff);
      assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x04]);
      assert.equal(rig.irqs[0].edges, 1);
    });

    it("interrupts until the status register is read, not the alternate one (7.15)", () => {
      const rig = new IdeRig();
      rig.out(0x1f7, 0xe1);
      assert.equal(rig.irqs[0].level, 1);
      assert.equal(rig.in(0x3f6), 0x50);
      assert.equal(rig.irqs[0].level, 1);
      assert.equal(rig.in(0x1f7), 0x50);
      assert.equal(rig.irqs[0].level, 0);
    });

    it("holds the interrupt back while nIEN is set (7.8)", () => {
      const rig = new IdeRig();
      rig.out(0x3f6, 0x02);
      rig.out(0x1f7, 0xe1);
      assert.equal(rig.irqs[0].level, 0);
      rig.out(0x3f6, 0x00);
      assert.equal(rig.irqs[0].level, 1);
    });

    it("splits wide accesses to byte registers, and floats past them (I16)", () => {
      const rig = new IdeRig();
      rig.out(0x1f2, 0x0403_0201, 4);
      assert.equal(rig.in(0x1f2, 4), 0x0403_0201);
      assert.equal(rig.in(0x1f7, 2), 0xff50);
    });
  });

  it("floats when it has no drive", () => {
    const rig = new IdeRig();
    for (let port = 0x170; port < 0x178; port++) assert.equal(rig.in(port), 0xff);
    assert.deepEqual([rig.in(0x376), rig.in(0x170, 4)], [0xff, 0xffff_ffff]);
    rig.out(0x177, 0x90);
    assert.equal(rig.irqs[1].edges, 0);
  });

  describe("busy", () => {
    function busyRig(): IdeRig {
      const rig = new IdeRig({ primary: [disk(), disk()] });
      rig.automatic = false;
      rig.lba28(0x20, 5, 1);
      assert.equal(rig.status, 0x80);
      return rig;
    }

    it("ignores writes to the command block and new commands", () => {
      const rig = busyRig();
      rig.out(0x1f2, 9);
      rig.out(0x1f6, 0xf0);
      rig.out(0x1f7, 0xec);
      rig.work();
      assert.deepEqual([rig.status, rig.in(0x1f2), rig.in(0x1f6)], [0x58, 1, 0xe0]);
      assert.deepEqual(rig.data(512), sectors(5, 1));
    });

    it("reads all ones at the data port", () => {
      const rig = busyRig();
      assert.deepEqual([rig.in(0x1f0, 2), rig.in(0x1f0, 4)], [0xffff, 0xffff_ffff]);
    });

    it("forgets a command that no actor has begun, at once on SRST", () => {
      const rig = busyRig();
      rig.out(0x3f6, 0x04);
      assert.equal(rig.status, 0x80);
      rig.out(0x3f6, 0x00);
      assert.equal(rig.status, 0x50);
      rig.work();
      assert.deepEqual(rig.storage.calls, []);
      assert.equal(rig.irqs[0].edges, 0);
    });

    it("stays busy after SRST until the actor has let go (I6)", () => {
      const rig = new IdeRig();
      rig.storage.held = [];
      rig.lba28(0x20, 5, 1);
      rig.out(0x3f6, 0x04);
      rig.out(0x3f6, 0x00);
      assert.equal(rig.status, 0x80);
      rig.storage.held[0]?.();
      assert.equal(rig.status, 0x50);
      assert.deepEqual([rig.in(0x1f2), rig.in(0x1f3), rig.error], [1, 1, 1]);
      assert.equal(rig.irqs[0].edges, 0);
    });

    it("stays busy while SRST is set, also when the actor has let go", () => {
      const rig = new IdeRig();
      rig.storage.held = [];
      rig.lba28(0x20, 5, 1);
      rig.out(0x3f6, 0x04);
      rig.storage.held[0]?.();
      assert.equal(rig.status, 0x80);
      rig.out(0x3f6, 0x00);
      assert.equal(rig.status, 0x50);
    });
  });

  describe("reset by SRST (9.2)", () => {
    it("selects drive 0 and takes the interrupt back", () => {
      const rig = new IdeRig({ primary: [disk(), disk()] });
      rig.out(0x1f6, 0xf0);
      rig.out(0x1f7, 0xe1);
      rig.out(0x3f6, 0x04);
      rig.out(0x3f6, 0x00);
      assert.deepEqual([rig.irqs[0].level, rig.in(0x1f6), rig.status], [0, 0, 0x50]);
    });

    it("ends a half-read sector", () => {
      const rig = new IdeRig();
      rig.lba28(0x20, 5, 2);
      rig.data(100);
      rig.out(0x3f6, 0x04);
      rig.out(0x3f6, 0x00);
      assert.equal(rig.in(0x1f0, 2), 0xffff);
      rig.lba28(0x20, 6, 1);
      assert.deepEqual(rig.data(512), sectors(6, 1));
    });

    it("puts the multiple mode back to 16 sectors, unless settings are to be kept", () => {
      const rig = new IdeRig();
      const multipleAfterReset = (): number => {
        rig.out(0x1f2, 8);
        rig.out(0x1f7, 0xc6);
        rig.out(0x3f6, 0x04);
        rig.out(0x3f6, 0x00);
        rig.out(0x1f7, 0xec);
        return rig.data(512)[118] ?? -1;
      };
      assert.equal(multipleAfterReset(), 16);
      rig.out(0x1f1, 0x66);
      rig.out(0x1f7, 0xef);
      assert.equal(multipleAfterReset(), 8);
    });
  });

  describe("EXECUTE DEVICE DIAGNOSTIC", () => {
    it("reaches both drives, selects drive 0 and interrupts (I14)", () => {
      const rig = new IdeRig({ primary: [disk(), disk()] });
      rig.out(0x1f6, 0xf0);
      rig.out(0x1f7, 0x90);
      assert.deepEqual([rig.in(0x1f6), rig.error, rig.in(0x1f7)], [0, 1, 0x50]);
      assert.equal(rig.irqs[0].edges, 1);
    });

    it("works with drive 1 selected and absent", () => {
      const rig = new IdeRig();
      rig.out(0x1f6, 0xf0);
      rig.out(0x1f7, 0x90);
      assert.deepEqual([rig.in(0x1f2), rig.in(0x1f3), rig.in(0x1f7)], [1, 1, 0x50]);
    });
  });

  describe("unplug()", () => {
    it("leaves a channel that floats", () => {
      const rig = new IdeRig();
      assert.equal(
        rig.ide.unplug({ channel: 0, unit: 0 }, () => false),
        true,
      );
      for (let port = 0x1f0; port < 0x1f8; port++) assert.equal(rig.in(port), 0xff);
      rig.out(0x1f7, 0xec);
      assert.deepEqual([rig.in(0x3f6), rig.irqs[0].edges], [0xff, 0]);
    });

    it("says when there was nothing to take out", () => {
      const rig = new IdeRig();
      assert.equal(
        rig.ide.unplug({ channel: 1, unit: 1 }, () => false),
        false,
      );
      rig.ide.unplug({ channel: 0, unit: 0 }, () => false);
      assert.equal(
        rig.ide.unplug({ channel: 0, unit: 0 }, () => false),
        false,
      );
    });

    it("takes the drive's interrupt with it", () => {
      const rig = new IdeRig({ primary: [disk(), disk()] });
      rig.out(0x1f6, 0xf0);
      rig.out(0x1f7, 0xe1);
      rig.ide.unplug({ channel: 0, unit: 1 }, () => false);
      assert.deepEqual([rig.irqs[0].level, rig.in(0x1f7)], [0, 0]);
      rig.out(0x1f6, 0xe0);
      assert.equal(rig.in(0x1f7), 0x50);
    });

    it("ends a transfer that waits for the guest", () => {
      const rig = new IdeRig({ primary: [disk(), disk()] });
      rig.lba28(0x30, 5, 1);
      rig.give(new Uint8Array(100));
      rig.ide.unplug({ channel: 0, unit: 0 }, () => false);
      rig.out(0x1f6, 0xf0);
      assert.equal(rig.in(0x1f7), 0x50);
      rig.lba28(0x20, 7, 1, 0xf0);
      assert.deepEqual(rig.data(512), sectors(7, 1));
    });

    it("waits for a request in flight (I15)", () => {
      const rig = new IdeRig();
      const held: (() => void)[] = [];
      rig.storage.held = held;
      rig.lba28(0x20, 5, 1);
      let looks = 0;
      const tired = (): boolean => {
        if (++looks === 3) held[0]?.();
        return false;
      };
      assert.equal(rig.ide.unplug({ channel: 0, unit: 0 }, tired), true);
      assert(looks >= 3);
      assert.deepEqual([rig.in(0x1f7), rig.irqs[0].level], [0xff, 0]);
    });

    it("gives up waiting for a request in flight when nobody can wait (I15)", () => {
      const rig = new IdeRig();
      rig.storage.held = [];
      rig.lba28(0x20, 5, 1);
      let looks = 0;
      assert.equal(
        rig.ide.unplug({ channel: 0, unit: 0 }, () => ++looks > 3),
        true,
      );
      rig.storage.held[0]?.();
      assert.deepEqual([rig.in(0x1f7), rig.irqs[0].edges], [0xff, 0]);
    });

    it("is undone by a reset of the machine", () => {
      const rig = new IdeRig();
      rig.ide.unplug({ channel: 0, unit: 0 }, () => false);
      rig.ide.reset();
      rig.setUp();
      rig.lba28(0x20, 9, 1);
      assert.deepEqual(rig.data(512), sectors(9, 1));
    });
  });

  it("is restored in the middle of a transfer", () => {
    const rig = new IdeRig({ primary: [disk(), disk()] });
    rig.lba28(0x20, 40, 3);
    const first = rig.data(600);
    const state = structuredClone(rig.ide.save());
    const other = new IdeRig({ primary: [disk(), disk()] });
    other.ide.restore(state);
    const rest = other.data(3 * 512 - 600);
    assert.deepEqual(new Uint8Array([...first, ...rest]), sectors(40, 3));
    assert.equal(other.status, 0x50);
  });

  it("serves both channels at once", () => {
    const rig = new IdeRig({ secondary: [disk({ sectors: 100 }), undefined] });
    rig.lba28(0x20, 1, 1);
    rig.out(0x176, 0xe0);
    rig.out(0x172, 1);
    rig.out(0x173, 99);
    rig.out(0x177, 0x20);
    assert.deepEqual([rig.in(0x1f0, 2), rig.in(0x170, 2)], [1, 99]);
    assert.deepEqual([rig.irqs[0].edges, rig.irqs[1].edges], [1, 1]);
  });
});
