/**
 * A guest that does to an IDE controller whatever comes to its mind, while the storage takes its time, has bad sectors, and
 * drives are unplugged: registers in every state, PRD tables of any content. [BMIDE] 1.2: a table of 8-byte entries
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AccessSize } from "../../../shared/io.js";
import { Cdrom } from "../../../devices/ide/atapi/cdrom.js";
import { ataCommand } from "../../../devices/ide/commands.js";
import { smallArena } from "../port-driver.js";
import { BUS_MASTER, disk, DISK_SECTORS, IdeRig, RAM_BYTES, TABLE } from "./ide-rig.js";

/** Sectors of the primary master that cannot be read or written. */
const BAD = [6, 7, 11] as const;
const EIO = 5;
const COMMANDS = Array.from({ length: 256 }, (_, code) => code).filter((code) => ataCommand(code) !== undefined);
const REGISTERS = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((offset) => [0x1f0 + offset, 0x170 + offset]),
  ...[0x3f6, 0x376, BUS_MASTER, BUS_MASTER + 2, BUS_MASTER + 4, BUS_MASTER + 8, BUS_MASTER + 10, BUS_MASTER + 12],
];
/** Where PRDs point to and where tables are: memory, its end, where none is, and the table itself. */
const ADDRESSES = [0, TABLE, 0x4_0000, 0x4_0001, RAM_BYTES - 512, RAM_BYTES - 8, RAM_BYTES, 0xfee0_0000, 0xffff_fffe];
const LENGTHS = [0, 1, 2, 511, 512, 513, 1024, 4096, 0xfffe, 0xffff];
const LAST_ENTRY = 0x8000;

type Step =
  | { readonly kind: "read"; readonly port: number; readonly size: AccessSize }
  | { readonly kind: "write"; readonly port: number; readonly size: AccessSize; readonly value: number }
  | {
      readonly kind: "prd";
      readonly index: number;
      readonly base: number;
      readonly bytes: number;
      readonly flags: number;
    }
  | { readonly kind: "storage"; readonly which: number }
  | { readonly kind: "actors" }
  | { readonly kind: "unplug"; readonly unit: 0 | 1 };

const size = fc.constantFrom<AccessSize>(1, 2, 4);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("read" as const), port: fc.constantFrom(...REGISTERS), size }),
  fc.record({
    kind: fc.constant("write" as const),
    port: fc.constantFrom(...REGISTERS),
    size,
    value: fc.oneof(fc.nat(0xff), fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(...ADDRESSES)),
  }),
  // Commands, drive selections and starts come often enough to lead somewhere.
  fc.record({
    kind: fc.constant("write" as const),
    port: fc.constantFrom(0x1f7, 0x177),
    size: fc.constant<AccessSize>(1),
    value: fc.constantFrom(...COMMANDS, 0x20, 0x30, 0xc8, 0xca, 0x25, 0x35, 0xa0),
  }),
  fc.record({
    kind: fc.constant("write" as const),
    port: fc.constantFrom(0x1f6, 0x176, BUS_MASTER, BUS_MASTER + 8, 0x3f6, 0x376),
    size: fc.constant<AccessSize>(1),
    value: fc.constantFrom(0xa0, 0xe0, 0xf0, 0x00, 0x01, 0x04, 0x08, 0x09),
  }),
  fc.record({
    kind: fc.constant("prd" as const),
    index: fc.nat(4),
    base: fc.constantFrom(...ADDRESSES),
    bytes: fc.constantFrom(...LENGTHS),
    flags: fc.constantFrom(0, LAST_ENTRY, 0x7fff),
  }),
  fc.record({ kind: fc.constant("storage" as const), which: fc.nat(3) }),
  fc.constant({ kind: "actors" } as const),
  fc.record({ kind: fc.constant("unplug" as const), unit: fc.constantFrom<0 | 1>(0, 1) }),
);

class Fixture {
  readonly rig: IdeRig;
  /** What the storages have not answered yet. */
  readonly held: (() => void)[] = [];

  constructor() {
    const cdrom = new Cdrom(smallArena(), { trayMoved: () => undefined }, { model: "CD", serial: "1", firmware: "1" });
    cdrom.load(DISK_SECTORS * 512);
    this.rig = new IdeRig({
      primary: [disk(), disk({ sectors: 3 })],
      secondary: [{ kind: "packet", device: cdrom }, undefined],
    });
    this.rig.automatic = false;
    for (const storage of this.rig.storages) if (storage !== undefined) storage.held = this.held;
    for (const sector of BAD) this.rig.storage.bad.set(sector, EIO);
    for (const at of [4, 12]) this.rig.out(BUS_MASTER + at, TABLE, 4);
  }

  carryOut(action: Step): void {
    const { rig } = this;
    switch (action.kind) {
      case "read": {
        const value = rig.in(action.port, action.size);
        assert(Number.isInteger(value) && value >= 0 && value < 2 ** (action.size * 8));
        return;
      }
      case "write":
        rig.out(action.port, action.size === 4 ? action.value : action.value % 2 ** (action.size * 8), action.size);
        return;
      case "prd": {
        const at = TABLE + action.index * 8;
        rig.region.view.setUint32(at, action.base, true);
        rig.region.view.setUint32(at + 4, action.flags * 0x1_0000 + action.bytes, true);
        return;
      }
      case "storage":
        this.held.splice(action.which % Math.max(1, this.held.length), 1)[0]?.();
        return;
      case "actors":
        rig.work();
        return;
      case "unplug":
        // Nobody waits: the disk actor may still be at work.
        rig.ide.unplug({ channel: 0, unit: action.unit }, () => true);
    }
  }

  /** Storage and actors do all that there is to do: never without end, whatever was asked of them. */
  settle(): void {
    let rounds = 0;
    do {
      assert(rounds++ < 2000, "the storage is asked without end");
      while (this.held.length > 0) this.held.shift()?.();
      this.rig.work();
    } while (this.held.length > 0);
  }
}

describe("A guest that does anything to Piix3Ide", () => {
  it("reaches nothing but memory and its drives' sectors, and has all of them after a reset (I3, I6, I15, I17)", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const fixture = new Fixture();
        // The storage checks each request: whole sectors within the drive, segments within guest memory.
        for (const action of steps) fixture.carryOut(action);
        fixture.settle();
        const { rig } = fixture;
        for (const control of [0x3f6, 0x376]) {
          rig.out(control, 0x04);
          rig.out(control, 0x00);
        }
        fixture.settle();
        assert.equal(rig.in(0x376) & 0x80, 0, "the CD drive has come back by SRST");
        rig.ide.reset();
        rig.setUp();
        rig.lba28(0x20, 20, 1);
        fixture.settle();
        assert.equal(rig.in(0x1f7), 0x58);
      }),
      { numRuns: 600 },
    );
  });
});
