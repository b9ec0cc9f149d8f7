/** [BMIDE] Programming Interface for Bus Master IDE Controller, revision 1.0: status bits of 3.1 are 1 active, 2 error, 4 interrupt. */
import assert from "node:assert/strict";
import { ReadyReads } from "../../../devices/ide/ready-reads.js";
import { StorageRequest } from "../../../devices/ide/storage-request.js";
import { BUS_MASTER, IdeRig, RAM_BYTES, sectors } from "./ide-rig.js";

const END = 0x8000;
const READ_SECTORS = 0x20;
const READ_DMA = 0xc8;
const READ_DMA_EXT = 0x25;
const WRITE_DMA = 0xca;
const SRST = 0x04;

type TableEntry = readonly [base: number, bytes: number, flags?: number];

describe("ReadyReads", () => {
  /** A disk actor that works when told to, and a vCPU that reads what it can; `ready` says what the storage has. */
  function made(ready: () => boolean = () => true): { readonly rig: IdeRig; readonly reads: ReadyReads } {
    const rig = new IdeRig();
    rig.automatic = false;
    const jobs = rig.ide.channels[0].jobs[0];
    const request = new StorageRequest(() => undefined);
    const reads = new ReadyReads({
      jobs,
      memory: rig.memory,
      storage: {
        pieces: {
          clear: () => {
            request.start(0, 0);
          },
          addPiece: (region, offset, length) => request.addPiece(region, offset, length),
        },
        readAtOnce(offset, length) {
          if (!ready()) return false;
          assert.equal(length, request.length);
          request.offset = offset;
          rig.storage.submit(request);
          return true;
        },
      },
    });
    return { rig, reads };
  }

  it("reads by DMA what the storage has, and leaves nothing for the actor", () => {
    const { rig, reads } = made();
    rig.table([0x10000, 1024], [0x20000, 2048, END]);
    rig.lba28(READ_DMA, 700, 6);
    rig.startMaster();
    assert.deepEqual([rig.masterStatus, rig.irqs[0].edges], [0x01, 0]);
    assert.equal(reads.tryJob(), true);
    assert.deepEqual([rig.masterStatus, rig.irqs[0].edges, rig.in(0x1f7)], [0x04, 1, 0x50]);
    assert.deepEqual([rig.ram(0x10000, 1024), rig.ram(0x20000, 2048)], [sectors(700, 2), sectors(702, 4)]);
    rig.work();
    assert.deepEqual(rig.storage.calls, [["read", 700, 6]]);
  });

  it("shows that the table had room left", () => {
    const { rig, reads } = made();
    rig.table([0x10000, 4096, END]);
    rig.lba28(READ_DMA, 7, 1);
    rig.startMaster();
    assert.equal(reads.tryJob(), true);
    assert.equal(rig.masterStatus, 0x05);
  });

  it("fills the buffer behind the data port", () => {
    const { rig, reads } = made();
    rig.lba28(READ_SECTORS, 9, 3);
    assert.equal(reads.tryJob(), true);
    assert.deepEqual([rig.status, rig.irqs[0].edges], [0x58, 1]);
    assert.deepEqual(rig.data(3 * 512), sectors(9, 3));
  });

  it("leaves what the storage does not have to the actor, which starts over", () => {
    const { rig, reads } = made(() => false);
    rig.table([0x10000, 1024, END]);
    rig.lba28(READ_DMA, 700, 2);
    rig.startMaster();
    assert.deepEqual([reads.tryJob(), rig.status, rig.masterStatus], [false, 0x80, 0x01]);
    rig.work();
    assert.deepEqual([rig.masterStatus, rig.status, rig.ram(0x10000, 1024)], [0x04, 0x50, sectors(700, 2)]);
  });

  /** [what the actor does, the command and its sectors, the table] */
  const LEFT: readonly (readonly [string, number, number, readonly TableEntry[]])[] = [
    ["writes", WRITE_DMA, 2, [[0x10000, 1024, END]]],
    ["memory that is not made of whole sectors", READ_DMA, 2, [[0x10002, 1024, END]]],
    [
      "pieces of sectors",
      READ_DMA,
      2,
      [
        [0x10000, 100],
        [0x20000, 924, END],
      ],
    ],
    ["a table that is too short", READ_DMA, 2, [[0x10000, 512, END]]],
    ["a table that leads nowhere", READ_DMA, 2, [[RAM_BYTES, 1024, END]]],
  ];
  for (const [what, command, count, table] of LEFT) {
    it(`leaves ${what} to the actor`, () => {
      const { rig, reads } = made();
      rig.table(...table);
      rig.lba28(command, 40, count);
      rig.startMaster();
      assert.deepEqual([reads.tryJob(), rig.status, rig.storage.calls], [false, 0x80, []]);
      const alone = new IdeRig();
      alone.table(...table);
      alone.lba28(command, 40, count);
      alone.startMaster();
      rig.work();
      const seen = ({ masterStatus, status, storage }: IdeRig): unknown => [masterStatus, status, storage.calls];
      assert.deepEqual(seen(rig), seen(alone));
    });
  }

  it("reads 1 MiB, and leaves a sector more to the actor", () => {
    for (const [count, done] of [
      [2048, true],
      [2049, false],
    ] as const) {
      const { rig, reads } = made();
      const entries = Array.from({ length: 16 }, () => [0, 0] as const);
      rig.table(...entries, [0, 512, END]);
      rig.storage.idle = true;
      rig.lba48(READ_DMA_EXT, 0, count);
      rig.startMaster();
      assert.equal(reads.tryJob(), done);
    }
  });

  it("finds nothing where no job waits, or another has taken it", () => {
    const { rig, reads } = made();
    assert.equal(reads.tryJob(), false);
    rig.table([0x10000, 512, END]);
    rig.lba28(READ_DMA, 3, 1);
    rig.startMaster();
    assert.equal(rig.ide.channels[0].jobs[0].take()?.length, 512);
    assert.equal(reads.tryJob(), false);
    assert.deepEqual(rig.storage.calls, []);
  });

  it("ends a reset that came while it looked", () => {
    const { rig, reads } = made(() => {
      rig.out(0x3f6, SRST);
      rig.out(0x3f6, 0);
      assert.equal(rig.status, 0x80);
      return false;
    });
    rig.table([0x10000, 1024, END]);
    rig.lba28(READ_DMA, 700, 2);
    rig.startMaster();
    assert.equal(reads.tryJob(), false);
    assert.deepEqual([rig.status, rig.error], [0x50, 0x01]);
    rig.work();
    assert.deepEqual(rig.storage.calls, []);
  });

  it("stops for a guest that stops the bus master, and goes on with its next start", () => {
    let stopping = true;
    const { rig, reads } = made(() => {
      if (stopping) rig.out(BUS_MASTER, 0x08);
      return !stopping;
    });
    rig.table([0x10000, 1024, END]);
    rig.lba28(READ_DMA, 700, 2);
    rig.startMaster();
    assert.equal(reads.tryJob(), false);
    assert.deepEqual([rig.masterStatus, rig.status], [0x00, 0x80]);
    rig.work();
    assert.deepEqual(rig.storage.calls, []);
    stopping = false;
    rig.startMaster();
    assert.equal(reads.tryJob(), true);
    assert.deepEqual([rig.masterStatus, rig.ram(0x10000, 1024)], [0x04, sectors(700, 2)]);
  });
});
