/** [BMIDE] Programming Interface for Bus Master IDE Controller, revision 1.0: status bits of 3.1 are 1 active, 2 error, 4 interrupt. */
import assert from "node:assert/strict";
import { BUS_MASTER, DISK_SECTORS, IdeRig, RAM_BYTES, sectors, TABLE } from "./ide-rig.js";

const END = 0x8000;
const READ_DMA = 0xc8;
const WRITE_DMA = 0xca;

describe("IdeExecutor", () => {
  it("reads straight into what the table names", () => {
    const rig = new IdeRig();
    rig.table([0x10000, 1024], [0x20000, 2048, END]);
    rig.lba28(READ_DMA, 700, 6);
    rig.startMaster();
    assert.deepEqual([rig.ram(0x10000, 1024), rig.ram(0x20000, 2048)], [sectors(700, 2), sectors(702, 4)]);
    assert.deepEqual(rig.storage.calls, [["read", 700, 6]]);
    assert.deepEqual([rig.masterStatus, rig.irqs[0].edges, rig.in(0x1f7)], [0x04, 1, 0x50]);
  });

  it("writes from what the table names", () => {
    const rig = new IdeRig();
    rig.region.bytes.fill(0x5a, 0x10000, 0x10000 + 4096);
    rig.table([0x10000, 4096, END]);
    rig.lba28(WRITE_DMA, 80, 8);
    rig.startMaster(0x01);
    assert.deepEqual(rig.storage.calls, [["write", 80, 8]]);
    assert.deepEqual(rig.storage.sector(87), new Uint8Array(512).fill(0x5a));
    assert.equal(rig.masterStatus, 0x04);
  });

  it("starts with the command when the start bit was first", () => {
    const rig = new IdeRig();
    rig.table([0x10000, 512, END]);
    rig.startMaster();
    assert.equal(rig.masterStatus, 0x01);
    rig.lba28(READ_DMA, 3, 1);
    assert.deepEqual([rig.ram(0x10000, 512), rig.masterStatus], [sectors(3, 1), 0x04]);
  });

  it("moves one command's data for one start", () => {
    const rig = new IdeRig();
    for (const [bytes, status] of [
      [512, 0x04],
      [4096, 0x05],
    ] as const) {
      rig.out(BUS_MASTER + 2, 0x06);
      rig.table([0x10000, bytes, END]);
      rig.lba28(READ_DMA, 3, 1);
      rig.stopMaster();
      rig.startMaster();
      const { length } = rig.storage.calls;
      rig.lba28(READ_DMA, 4, 1);
      assert.deepEqual([rig.masterStatus, rig.status, rig.storage.calls.length], [status, 0x80, length]);
      rig.stopMaster();
      rig.startMaster();
      assert.deepEqual([rig.storage.calls.length, rig.ram(0x10000, 512)], [length + 1, sectors(4, 1)]);
    }
  });

  it("uses 48-bit addresses, and flushes what FUA says", () => {
    const rig = new IdeRig();
    rig.table([0x10000, 1024, END]);
    rig.lba48(0x25, 12_345, 2);
    rig.startMaster();
    assert.deepEqual(rig.ram(0x10000, 1024), sectors(12_345, 2));
    rig.lba48(0x3d, 100, 2);
    rig.startMaster(0x01);
    assert.deepEqual(rig.storage.calls.slice(1), [
      ["write", 100, 2],
      ["flush", 0, 0],
    ]);
  });

  it("takes a count of 0 for 64 KiB (I2)", () => {
    const rig = new IdeRig();
    rig.table([0x20000, 0, END]);
    rig.lba28(READ_DMA, 40, 128);
    rig.startMaster();
    assert.deepEqual([rig.ram(0x20000, 65_536), rig.masterStatus], [sectors(40, 128), 0x04]);
  });

  it("moves data at odd places by way of the buffer, in units of 2 bytes (I1, I2)", () => {
    const rig = new IdeRig();
    rig.table([0x10003, 301], [0x20006, 212], [0x30002, 512, END]);
    rig.lba28(READ_DMA, 9, 2);
    rig.startMaster();
    const moved = [...rig.ram(0x10002, 300), ...rig.ram(0x20006, 212), ...rig.ram(0x30002, 512)];
    assert.deepEqual(new Uint8Array(moved), sectors(9, 2));
    assert.equal(rig.masterStatus, 0x04);
  });

  it("writes from odd places", () => {
    const rig = new IdeRig();
    rig.region.bytes.set(sectors(5000, 2), 0x10002);
    rig.table([0x10002, 300], [0x1012e, 724, END]);
    rig.lba28(WRITE_DMA, 60, 2);
    rig.startMaster(0x01);
    assert.deepEqual([rig.storage.sector(60), rig.storage.sector(61)], [sectors(5000, 1), sectors(5001, 1)]);
  });

  it("moves megabytes, with a table of many entries", () => {
    const rig = new IdeRig();
    const entries = Array.from(
      { length: 1024 },
      (_, i) => [0x40000 + (i % 2) * 1024, 512, i === 1023 ? END : 0] as const,
    );
    rig.table(...entries);
    rig.lba48(0x25, 0, 1024);
    rig.startMaster();
    assert.deepEqual([rig.ram(0x40400, 512), rig.masterStatus], [sectors(1023, 1), 0x04]);
    assert.deepEqual(
      rig.storage.calls.map(([, , count]) => count),
      [256, 256, 256, 256],
    );
  });

  describe("with a table that does not fit the command (I4)", () => {
    it("moves what a short table has room for, and goes quiet: no interrupt, drive busy", () => {
      const rig = new IdeRig();
      rig.table([0x10000, 512, END]);
      rig.lba28(READ_DMA, 20, 2);
      rig.startMaster();
      assert.deepEqual([rig.masterStatus, rig.irqs[0].edges, rig.status], [0x00, 0, 0x80]);
      assert.deepEqual(rig.ram(0x10000, 1024), new Uint8Array([...sectors(20, 1), ...new Uint8Array(512)]));
    });

    it("goes on where it was when it is given another table", () => {
      const rig = new IdeRig();
      rig.table([0x10000, 512, END]);
      rig.lba28(READ_DMA, 20, 2);
      rig.startMaster();
      rig.table([0x10200, 512, END]);
      rig.stopMaster();
      rig.startMaster();
      assert.deepEqual([rig.ram(0x10000, 1024), rig.masterStatus], [sectors(20, 2), 0x04]);
    });

    it("stays active when the table has room left", () => {
      const rig = new IdeRig();
      rig.table([0x10000, 4096, END]);
      rig.lba28(READ_DMA, 20, 1);
      rig.startMaster();
      assert.deepEqual([rig.masterStatus, rig.irqs[0].edges], [0x05, 1]);
      rig.stopMaster();
      assert.equal(rig.masterStatus, 0x04);
    });

    it("stays active when the last entry used is not the last of the table", () => {
      const rig = new IdeRig();
      rig.table([0x10000, 512], [0x20000, 512, END]);
      rig.lba28(READ_DMA, 20, 1);
      rig.startMaster();
      assert.equal(rig.masterStatus, 0x05);
    });

    for (const size of [2, 256, 510, 512, 768, 1024, 32_768, 65_280]) {
      for (const count of [1, 2, 64, 128, 256]) {
        const bytes = count * 512;
        const status = size === bytes ? 0x04 : size > bytes ? 0x05 : 0x00;
        it(`ends with status ${status} for ${size} bytes and ${count} sectors`, () => {
          const rig = new IdeRig();
          rig.table([0x10000, size, END]);
          rig.lba28(READ_DMA, 20, count);
          rig.startMaster();
          assert.deepEqual([rig.masterStatus, rig.status & 0x01], [status, 0]);
          const whole = Math.min(bytes, size - (size % 512));
          assert.deepEqual(rig.ram(0x10000, whole), sectors(20, whole / 512));
          const past = rig.ram(0x10000 + size, 2);
          assert.deepEqual(past, new Uint8Array(2));
        });
      }
    }
  });

  describe("with a table that leads astray", () => {
    it("reports an error without an interrupt when the table is not in memory (I1)", () => {
      for (const table of [RAM_BYTES, RAM_BYTES - 4, 0xffff_fffc, 0xfee0_0000]) {
        const rig = new IdeRig();
        rig.lba28(READ_DMA, 20, 1);
        rig.startMaster(0x09, table);
        assert.deepEqual([rig.masterStatus, rig.irqs[0].edges, rig.storage.calls], [0x02, 0, []]);
      }
    });

    it("reports an error when an entry leads out of memory, and keeps what was moved", () => {
      const rig = new IdeRig();
      rig.table([0x10000, 512], [RAM_BYTES, 512, END]);
      rig.lba28(READ_DMA, 20, 2);
      rig.startMaster();
      assert.deepEqual([rig.masterStatus, rig.ram(0x10000, 512)], [0x02, sectors(20, 1)]);
    });

    it("stops at the end of memory within an entry", () => {
      const rig = new IdeRig();
      rig.table([RAM_BYTES - 4096, 8192, END]);
      rig.lba28(READ_DMA, 20, 16);
      rig.startMaster();
      assert.deepEqual([rig.masterStatus, rig.ram(RAM_BYTES - 4096, 4096)], [0x02, sectors(20, 8)]);
    });

    it("writes nothing that did not come from memory", () => {
      const rig = new IdeRig();
      rig.table([0x10000, 300], [0xf000_0000, 212, END]);
      rig.lba28(WRITE_DMA, 20, 1);
      rig.startMaster(0x01);
      assert.deepEqual([rig.masterStatus, rig.storage.calls], [0x02, []]);
    });

    it("ends a table of entries without an end at the next 64 KiB (I3)", () => {
      const rig = new IdeRig();
      const start = 0x1_0000;
      for (let at = start; at < 0x2_0000; at += 8) {
        rig.region.view.setUint32(at, 0x4_0000, true);
        rig.region.view.setUint32(at + 4, 2, true);
      }
      rig.lba48(0x35, 0, 65_535 % DISK_SECTORS);
      rig.startMaster(0x01, start);
      // 8192 entries of 2 bytes are 32 sectors.
      assert.deepEqual([rig.masterStatus, rig.storage.calls], [0x00, [["write", 0, 32]]]);
    });

    it("survives a table that is overwritten by the transfer", () => {
      const rig = new IdeRig();
      rig.table([TABLE, 512], [0x10000, 512, END]);
      rig.lba28(READ_DMA, 0, 200);
      rig.startMaster();
      assert.equal(rig.masterStatus & 0x04, 0);
    });
  });

  describe("stopped", () => {
    it("shows the master active until the actor has let go, then idle (I6)", () => {
      const rig = new IdeRig();
      rig.storage.held = [];
      rig.table([0x10000, 512, END]);
      rig.lba28(READ_DMA, 20, 1);
      rig.startMaster();
      rig.stopMaster();
      assert.equal(rig.masterStatus, 0x01);
      rig.storage.held[0]?.();
      assert.equal(rig.masterStatus & 0x01, 0);
    });

    it("asks nothing more of the storage after SRST (I6)", () => {
      const rig = new IdeRig();
      rig.storage.held = [];
      rig.region.bytes.fill(0xee, 0x10000, 0x20000);
      const entries = Array.from(
        { length: 600 },
        (_, i) => [0x10000 + (i % 2) * 1024, 512, i === 599 ? END : 0] as const,
      );
      rig.table(...entries);
      rig.lba48(0x35, 2000, 600);
      rig.startMaster(0x01);
      rig.out(0x3f6, 0x04);
      rig.out(0x3f6, 0x00);
      assert.equal(rig.status, 0x80);
      rig.storage.held.shift()?.();
      assert.deepEqual([rig.status, rig.storage.calls], [0x50, [["write", 2000, 256]]]);
    });

    it("takes a job back that no actor has begun", () => {
      const rig = new IdeRig();
      rig.automatic = false;
      rig.table([0x10000, 512, END]);
      rig.lba28(READ_DMA, 20, 1);
      rig.startMaster();
      rig.stopMaster();
      assert.equal(rig.masterStatus, 0x00);
      rig.work();
      assert.deepEqual(rig.storage.calls, []);
      rig.startMaster();
      rig.work();
      assert.deepEqual([rig.masterStatus, rig.ram(0x10000, 512)], [0x04, sectors(20, 1)]);
    });

    it("goes on in mid-transfer, when it is started again while the actor works", () => {
      const rig = new IdeRig();
      rig.storage.held = [];
      const entries = Array.from(
        { length: 300 },
        (_, i) => [0x10000 + (i % 2) * 1024, 512, i === 299 ? END : 0] as const,
      );
      rig.table(...entries);
      rig.lba48(0x25, 2000, 300);
      rig.startMaster();
      rig.stopMaster();
      rig.startMaster();
      rig.storage.held.shift()?.();
      rig.work();
      rig.storage.held.shift()?.();
      assert.deepEqual(rig.storage.calls, [
        ["read", 2000, 256],
        ["read", 2256, 44],
      ]);
      // The table was begun anew: it has room left.
      assert.equal(rig.masterStatus, 0x05);
    });
  });

  it("moves nothing while PCI does not let the controller master (I5)", () => {
    const rig = new IdeRig();
    rig.ide.writeConfig(0x04, 2, 0x0001);
    rig.table([0x10000, 512, END]);
    rig.lba28(READ_DMA, 20, 1);
    rig.startMaster();
    assert.deepEqual([rig.masterStatus, rig.storage.calls], [0x01, []]);
    rig.ide.writeConfig(0x04, 2, 0x0005);
    rig.work();
    assert.deepEqual([rig.masterStatus, rig.ram(0x10000, 512)], [0x04, sectors(20, 1)]);
  });

  it("ends a transfer that the storage fails with UNC, the master idle and an interrupt", () => {
    const rig = new IdeRig();
    rig.storage.bad.set(21, 5);
    rig.table([0x10000, 2048, END]);
    rig.lba28(READ_DMA, 20, 4);
    rig.startMaster();
    assert.deepEqual([rig.irqs[0].edges, rig.in(0x1f7), rig.error, rig.in(0x1f3)], [1, 0x51, 0x40, 21]);
    rig.stopMaster();
    assert.equal(rig.masterStatus, 0x04);
  });

  it("takes no job while it is quiesced, and says when it is quiet", () => {
    const rig = new IdeRig();
    const [executor] = rig.executors;
    rig.storage.held = [];
    rig.lba28(0x20, 4, 1);
    let quiet = 0;
    executor?.quiesce(() => quiet++);
    assert.equal(quiet, 0);
    rig.storage.held.shift()?.();
    assert.equal(quiet, 1);
    rig.data(512);
    rig.lba28(0x20, 5, 1);
    assert.equal(rig.status, 0x80);
    executor?.resume();
    rig.storage.held.shift()?.();
    assert.deepEqual(rig.data(512), sectors(5, 1));
  });

  it("reads the registers of the bus master back, drive capable bits and all", () => {
    const rig = new IdeRig();
    rig.out(BUS_MASTER + 2, 0x60);
    rig.out(BUS_MASTER + 4, 0x1234_5679, 4);
    assert.deepEqual([rig.in(BUS_MASTER + 2), rig.in(BUS_MASTER + 4, 4)], [0x60, 0x1234_5678]);
    assert.deepEqual([rig.in(BUS_MASTER + 1), rig.in(BUS_MASTER + 3)], [0, 0]);
  });
});
