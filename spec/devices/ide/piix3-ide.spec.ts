/** [PIIX3] Intel 82371SB, 290550-002, 2.3 "PCI configuration registers, function 1" */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ataCommand } from "../../../devices/ide/commands.js";
import { BUS_MASTER, disk, IdeRig, RAM_BYTES } from "./ide-rig.js";
import type { AccessSize } from "../../../shared/io.js";

describe("Piix3Ide", () => {
  it("is a bus mastering IDE controller in compatibility mode", () => {
    const { ide } = new IdeRig();
    assert.deepEqual([ide.slot, ide.function], [1, 1]);
    assert.deepEqual([ide.readConfig(0x00, 4), ide.readConfig(0x08, 4)], [0x7010_8086, 0x0101_8000]);
    assert.equal(ide.readConfig(0x3d, 1), 0);
  });

  it("has 16 ports of bus master registers", () => {
    const { ide } = new IdeRig();
    ide.writeConfig(0x20, 4, 0xffff_ffff);
    assert.equal(ide.readConfig(0x20, 4), 0xffff_fff1);
  });

  it("answers at a channel's ports while its enable bit and the I/O bit are set", () => {
    const rig = new IdeRig({ secondary: [disk(), undefined] });
    const seen = (): readonly number[] => [rig.in(0x1f7), rig.in(0x3f6), rig.in(0x177), rig.in(0x376)];
    assert.deepEqual(seen(), [0x50, 0x50, 0x50, 0x50]);
    rig.ide.writeConfig(0x40, 2, 0x0000);
    assert.deepEqual(seen(), [0xff, 0xff, 0x50, 0x50]);
    rig.ide.writeConfig(0x40, 4, 0x0000_8000);
    assert.deepEqual(seen(), [0x50, 0x50, 0xff, 0xff]);
    rig.ide.writeConfig(0x04, 2, 0x0004);
    assert.deepEqual(seen(), [0xff, 0xff, 0xff, 0xff]);
  });

  it("answers nowhere after a reset", () => {
    const rig = new IdeRig();
    rig.ide.reset();
    assert.deepEqual(
      rig.ide.decodes().filter(({ enabled }) => enabled),
      [],
    );
  });

  it("has a bus master for each channel", () => {
    const rig = new IdeRig();
    rig.out(BUS_MASTER + 4, 0x1000, 4);
    rig.out(BUS_MASTER + 12, 0x2000, 4);
    assert.deepEqual([rig.in(BUS_MASTER + 4, 4), rig.in(BUS_MASTER + 12, 4)], [0x1000, 0x2000]);
  });

  it("keeps all 256 commands in each state of a drive within bounds (I17)", () => {
    const states: readonly ((rig: IdeRig) => void)[] = [
      () => undefined,
      (rig) => {
        rig.lba28(0x20, 3, 2);
        rig.data(10);
      },
      (rig) => {
        rig.lba28(0x30, 3, 2);
        rig.give(new Uint8Array(10));
      },
      (rig) => {
        rig.automatic = false;
        rig.lba28(0x20, 3, 2);
      },
      (rig) => {
        rig.lba28(0xc8, 3, 2);
      },
    ];
    const rig = new IdeRig();
    for (const enter of states) {
      for (let command = 0; command < 256; command++) {
        rig.ide.reset();
        rig.setUp();
        enter(rig);
        const before = rig.status;
        rig.out(0x1f7, command);
        if ((before & 0x88) !== 0) assert.equal(rig.status, before);
        else if (ataCommand(command) === undefined && command !== 0x90) assert.equal(rig.status, 0x51);
        // Whatever it was, SRST brings the drive back.
        rig.automatic = true;
        rig.out(0x3f6, 0x04);
        rig.out(0x3f6, 0x00);
        assert.deepEqual([rig.status, rig.error], [0x50, 0x01]);
      }
    }
  });

  it("takes any sequence of accesses, and comes back by SRST", () => {
    const ports = [
      ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((offset) => [0x1f0 + offset, 0x170 + offset]),
      ...[0x3f6, 0x376, BUS_MASTER, BUS_MASTER + 2, BUS_MASTER + 4, BUS_MASTER + 7, BUS_MASTER + 8, BUS_MASTER + 12],
    ];
    const commands = Array.from({ length: 256 }, (_, code) => code).filter((code) => ataCommand(code) !== undefined);
    const access = fc.oneof(
      fc.record({
        write: fc.boolean(),
        port: fc.constantFrom(...ports),
        size: fc.constantFrom<AccessSize>(1, 2, 4),
        value: fc.oneof(fc.nat(0xff), fc.integer({ min: 0, max: 0xffff_ffff })),
      }),
      // Commands, drive selections and starts come often enough to lead somewhere.
      fc.record({
        write: fc.constant(true),
        port: fc.constantFrom(0x1f7, 0x177),
        size: fc.constant<AccessSize>(1),
        value: fc.constantFrom(...commands),
      }),
      fc.record({
        write: fc.constant(true),
        port: fc.constantFrom(0x1f6, 0x176, BUS_MASTER, BUS_MASTER + 8, 0x3f6),
        size: fc.constant<AccessSize>(1),
        value: fc.constantFrom(0xa0, 0xb0, 0xe0, 0xf0, 0x00, 0x01, 0x09),
      }),
    );
    fc.assert(
      fc.property(fc.array(access, { maxLength: 80 }), fc.boolean(), (accesses, automatic) => {
        const rig = new IdeRig({ primary: [disk(), disk({ sectors: 3 })], secondary: [undefined, disk()] });
        rig.automatic = automatic;
        const guard = rig.region.bytes.length;
        for (const { write, port, size, value } of accesses) {
          if (write) rig.out(port, size === 4 ? value : value % 2 ** (size * 8), size);
          else {
            const read = rig.in(port, size);
            assert(Number.isInteger(read) && read >= 0 && read < 2 ** (size * 8));
          }
        }
        assert.equal(guard, RAM_BYTES);
        rig.automatic = true;
        rig.work();
        rig.out(0x3f6, 0x04);
        rig.out(0x3f6, 0x00);
        assert.deepEqual([rig.in(0x1f7), rig.in(0x1f1)], [0x50, 0x01]);
        rig.lba28(0x20, 11, 1);
        // A command among the accesses may have written there.
        const stored = rig.storages[0]?.sector(11);
        assert(stored !== undefined);
        assert.equal(rig.in(0x1f0, 2), (stored[0] ?? 0) + (stored[1] ?? 0) * 256);
      }),
      {
        numRuns: 400,
        // WRITE DMA over the sector that is read last.
        examples: [
          [
            [
              { write: true, port: 0x1f7, size: 1, value: 0x98 },
              { write: true, port: BUS_MASTER, size: 1, value: 0x03 },
              { write: true, port: 0x1f7, size: 1, value: 0xca },
            ],
            false,
          ],
        ],
      },
    );
  });
});
