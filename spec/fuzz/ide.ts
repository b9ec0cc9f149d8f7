/** IDE registers in any order, with any commands, packets and PRD tables: SRST brings the drive back. */
import assert from "node:assert/strict";
import { ataCommand } from "../../devices/ide/commands.js";
import { BUS_MASTER, disk, IdeRig, RAM_BYTES, TABLE } from "../devices/ide/ide-rig.js";
import type { Entrance } from "./entrance.js";

const PORTS = [
  ...Array.from({ length: 8 }, (_, i) => [0x1f0 + i, 0x170 + i]).flat(),
  ...[0x3f6, 0x376, BUS_MASTER, BUS_MASTER + 2, BUS_MASTER + 4, BUS_MASTER + 8, BUS_MASTER + 10, BUS_MASTER + 12],
];
const COMMANDS = Array.from({ length: 256 }, (_, code) => code).filter((code) => ataCommand(code) !== undefined);
const SELECT = [0xa0, 0xb0, 0xe0, 0xf0];
const START = [0x00, 0x01, 0x08, 0x09];

export const ide: Entrance = {
  name: "ide",
  tryOne(draw) {
    const rig = new IdeRig({ primary: [disk(), disk({ sectors: 3 })], secondary: [undefined, disk()] });
    rig.automatic = draw.oneIn(2);
    for (let left = 1 + draw.below(100); left > 0; left--) {
      const kind = draw.below(10);
      if (kind === 0) rig.out(draw.of([0x1f7, 0x177]), draw.of(COMMANDS));
      else if (kind === 1) rig.out(draw.of([0x1f6, 0x176]), draw.of(SELECT));
      else if (kind === 2) rig.out(draw.of([BUS_MASTER, BUS_MASTER + 8]), draw.of(START));
      else if (kind === 3) {
        // A PRD of any address and length; the table's own address is mostly this one.
        const at = TABLE + 8 * draw.below(8);
        const entry = new DataView(rig.region.bytes.buffer);
        entry.setUint32(at, draw.oneIn(2) ? draw.below(RAM_BYTES) : draw.word(), true);
        entry.setUint32(at + 4, draw.oneIn(2) ? 0x8000_0000 + draw.below(0x1_0000) : draw.word(), true);
        rig.out(draw.of([BUS_MASTER + 4, BUS_MASTER + 12]), draw.oneIn(8) ? draw.word() : TABLE, 4);
      } else {
        const size = draw.of([1, 1, 2, 4] as const);
        const at = draw.of(PORTS);
        if (draw.oneIn(2)) rig.out(at, size === 4 ? draw.word() : draw.below(2 ** (8 * size)), size);
        else {
          const value = rig.in(at, size);
          assert(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size), `port ${at} reads ${value}`);
        }
      }
    }
    rig.automatic = true;
    rig.work();
    rig.out(0x3f6, 0x04);
    rig.out(0x3f6, 0x00);
    assert.deepEqual([rig.in(0x1f7), rig.in(0x1f1)], [0x50, 0x01], "SRST brings the drive back");
    rig.lba28(0x20, 11, 1);
    // What the sector holds by now: some input may have written it.
    const [low = 0, high = 0] = rig.storages[0]?.sector(11) ?? [];
    assert.equal(rig.in(0x1f0, 2), low + high * 256, "and it reads");
  },
};
