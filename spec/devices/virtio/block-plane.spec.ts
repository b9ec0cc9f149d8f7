/** [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.2.6 "Device operation" */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { BlockDriver, DATA } from "./block-driver.js";
import { LOW_BYTES, NEXT, WRITE } from "./queue-driver.js";

const IN = 0;
const OUT = 1;
const FLUSH = 4;
const GET_ID = 8;
const DISCARD = 11;
const WRITE_ZEROES = 13;
const OK = 0;
const IOERR = 1;
const UNSUPP = 2;

describe("VirtioBlockPlane", () => {
  it("reads into pieces of guest memory", () => {
    const disk = new BlockDriver();
    const status = disk.run(IN, 3, [
      { address: DATA + 0x1000, length: 100, flags: WRITE },
      { address: DATA, length: 412, flags: WRITE },
    ]);
    assert.equal(status, OK);
    const { image } = disk.storage;
    const { bytes } = disk.driver;
    assert.deepEqual(bytes.slice(DATA + 0x1000, DATA + 0x1064), image.slice(1536, 1636));
    assert.deepEqual(bytes.slice(DATA, DATA + 412), image.slice(1636, 2048));
    assert.deepEqual([disk.driver.usedIndex, ...disk.driver.used(0)], [1, 0, 513]);
    assert.deepEqual(disk.events, ["interrupt"]);
  });

  it("writes from pieces of guest memory, also such as follow the header in its buffer", () => {
    const disk = new BlockDriver();
    disk.driver.bytes.fill(0x5a, 0x8010, 0x8110);
    disk.driver.bytes.fill(0xa5, DATA, DATA + 256);
    disk.driver.chain([
      { ...disk.header(OUT, 1), length: 16 + 256 },
      { address: DATA, length: 256 },
      { address: 0x8800, length: 1, flags: WRITE },
    ]);
    disk.plane.kick();
    assert.equal(disk.status(), OK);
    assert.deepEqual(disk.storage.log, ["write 512+512"]);
    const { image } = disk.storage;
    assert.deepEqual([image[512], image[767], image[768], image[1023]], [0x5a, 0x5a, 0xa5, 0xa5]);
    assert.deepEqual(disk.driver.used(0), [0, 1]);
  });

  it("finds the status at the end of the last writable buffer", () => {
    const disk = new BlockDriver();
    disk.driver.chain([disk.header(IN, 0), { address: DATA, length: 513, flags: WRITE }]);
    disk.driver.bytes[DATA + 512] = 0xff;
    disk.plane.kick();
    assert.equal(disk.driver.bytes[DATA + 512], OK);
    assert.deepEqual(disk.storage.log, ["read 0+512"]);
  });

  it("tells its serial number, and no more than there is room for", () => {
    const disk = new BlockDriver();
    assert.equal(disk.run(GET_ID, 0, [{ address: DATA, length: 20, flags: WRITE }]), OK);
    assert.equal(Buffer.from(disk.driver.bytes.slice(DATA, DATA + 20)).toString(), "SN-123".padEnd(20, "\0"));
    disk.driver.bytes.fill(0xee, DATA, DATA + 8);
    assert.equal(disk.run(GET_ID, 0, [{ address: DATA, length: 4, flags: WRITE }]), OK);
    assert.deepEqual([...disk.driver.bytes.slice(DATA, DATA + 5)], [0x53, 0x4e, 0x2d, 0x31, 0xee]);
  });

  it("flushes, discards and writes zeros", () => {
    const disk = new BlockDriver();
    assert.equal(disk.run(FLUSH, 0, []), OK);
    assert.equal(disk.run(DISCARD, 0, disk.range(8, 16)), OK);
    assert.equal(disk.run(WRITE_ZEROES, 0, disk.range(24, 1)), OK);
    assert.equal(disk.run(WRITE_ZEROES, 0, disk.range(25, 2, 1)), OK);
    assert.deepEqual(disk.storage.log, ["flush", "discard 4096+8192", "write-zeroes 12288+512", "discard 12800+1024"]);
  });

  it("keeps the space of zeros where discards are not wanted", () => {
    const disk = new BlockDriver({ discards: false });
    assert.equal(disk.run(WRITE_ZEROES, 0, disk.range(8, 8, 1)), OK);
    assert.equal(disk.run(DISCARD, 0, disk.range(8, 8)), UNSUPP);
    assert.deepEqual(disk.storage.log, ["write-zeroes 4096+4096"]);
  });

  describe("with a cache that writes through (5.2.5.2)", () => {
    const write = [{ address: DATA, length: 512 }];

    it("flushes after each write when the driver says so", () => {
      const disk = new BlockDriver();
      disk.device.writeConfig(32, 1, 0);
      assert.equal(disk.run(OUT, 0, write), OK);
      assert.deepEqual(disk.storage.log, ["write 0+512", "flush"]);
    });

    it("flushes after each write of a driver that knows no flush", () => {
      const disk = new BlockDriver({ features: [] });
      assert.equal(disk.run(OUT, 0, write), OK);
      assert.equal(disk.run(IN, 0, [{ address: DATA, length: 512, flags: WRITE }]), OK);
      assert.deepEqual(disk.storage.log, ["write 0+512", "flush", "read 0+512"]);
    });

    it("does not flush after a write that failed", () => {
      const disk = new BlockDriver({ features: [] });
      disk.storage.error = 5;
      assert.equal(disk.run(OUT, 0, write), IOERR);
      assert.deepEqual(disk.storage.log, ["write 0+512"]);
    });
  });

  it("tells the host's errors (5.2.6)", () => {
    const disk = new BlockDriver();
    disk.storage.error = 5;
    assert.equal(disk.run(IN, 0, [{ address: DATA, length: 512, flags: WRITE }]), IOERR);
    assert.equal(disk.run(FLUSH, 0, []), IOERR);
    disk.storage.error = 95;
    assert.equal(disk.run(DISCARD, 0, disk.range(0, 8)), UNSUPP);
    disk.storage.error = 0;
    assert.equal(disk.run(FLUSH, 0, []), OK);
  });

  describe("refuses (Q8)", () => {
    const sector = [{ address: DATA, length: 512, flags: WRITE }];
    const out = [{ address: DATA, length: 512 }];
    type Case = readonly [what: string, run: (disk: BlockDriver) => number, status: number];
    const cases: readonly Case[] = [
      ["a read past the end", (disk) => disk.run(IN, 128, sector), IOERR],
      ["a read over the end", (disk) => disk.run(IN, 127, [{ address: DATA, length: 1024, flags: WRITE }]), IOERR],
      ["a read whose end wraps", (disk) => disk.run(IN, 0xffff_ffff_ffff_ffffn, sector), IOERR],
      ["a read of part of a sector", (disk) => disk.run(IN, 0, [{ address: DATA, length: 511, flags: WRITE }]), IOERR],
      ["a write past the end", (disk) => disk.run(OUT, 128, out), IOERR],
      ["an operation that is not known", (disk) => disk.run(2, 0, sector), UNSUPP],
      ["an operation with a barrier's flag", (disk) => disk.run(0x8000_0001, 0, out), UNSUPP],
      ["a discard past the end", (disk) => disk.run(DISCARD, 0, disk.range(127, 2)), IOERR],
      ["a discard whose end wraps", (disk) => disk.run(DISCARD, 0, disk.range(2n ** 64n - 1n, 2)), IOERR],
      ["a discard with a flag", (disk) => disk.run(DISCARD, 0, disk.range(0, 8, 1)), UNSUPP],
      ["zeros with a flag that is not known", (disk) => disk.run(WRITE_ZEROES, 0, disk.range(0, 8, 2)), UNSUPP],
      ["more zeros than it said", (disk) => disk.run(WRITE_ZEROES, 0, disk.range(0, 0x40_0000)), IOERR],
      ["part of a range", (disk) => disk.run(DISCARD, 0, [{ address: DATA, length: 15 }]), UNSUPP],
      ["two ranges", (disk) => disk.run(DISCARD, 0, [{ address: DATA, length: 32 }]), UNSUPP],
      ["writing to a read-only disk", () => new BlockDriver({ readOnly: true }).run(OUT, 0, out), IOERR],
    ];
    for (const [what, run, status] of cases) {
      it(what, () => {
        const disk = new BlockDriver();
        assert.equal(run(disk), status);
        assert.deepEqual(disk.storage.log, []);
      });
    }
  });

  it("does nothing for empty reads, writes and ranges", () => {
    const disk = new BlockDriver();
    assert.deepEqual([disk.run(IN, 0, []), disk.run(OUT, 5, []), disk.run(DISCARD, 0, disk.range(3, 0))], [OK, OK, OK]);
    assert.deepEqual(disk.storage.log, []);
  });

  describe("needs a reset", () => {
    it("of a request without room for header or status (Q5)", () => {
      for (const chain of [
        [{ address: DATA, length: 16 }],
        [
          { address: DATA, length: 15 },
          { address: DATA, length: 1, flags: WRITE },
        ],
        [{ address: DATA, length: 512, flags: WRITE }],
      ]) {
        // prettier-ignore
        const disk = new BlockDriver();
        disk.driver.chain(chain);
        disk.plane.kick();
        assert.deepEqual(disk.events, ["broken: a request has no room for header or status", "config"]);
        assert.equal(disk.state.status, 0x4f);
        assert(!disk.state.claimed);
      }
    });

    it("of a broken queue, and serves again after it", () => {
      const disk = new BlockDriver();
      disk.driver.descriptor(0, { address: DATA, length: 4, flags: NEXT, next: 0 });
      disk.driver.offer(0);
      disk.plane.kick();
      disk.plane.kick();
      assert.deepEqual(disk.events, ["broken: a chain is too long", "config"]);
      disk.state.requestReset();
      assert.equal(disk.state.status, 0);
      disk.driver.availIndex = 0;
      disk.driver.setAvailIndex(0);
      disk.start([9]);
      assert.equal(disk.run(FLUSH, 0, []), OK);
    });
  });

  it("serves what waits, in one go, with an interrupt at the end", () => {
    const disk = new BlockDriver({ size: 64 });
    for (let i = 0; i < 5; i++) disk.offer(FLUSH, 0, [], i * 2);
    disk.plane.kick();
    assert.equal(disk.driver.usedIndex, 5);
    assert.deepEqual(disk.events, ["interrupt"]);
  });

  it("answers early when many requests or many bytes wait", () => {
    const disk = new BlockDriver({ size: 64 });
    for (let i = 0; i < 20; i++) disk.offer(FLUSH, 0, [], i * 2);
    disk.plane.kick();
    assert.deepEqual(disk.events, ["interrupt", "interrupt"]);
  });

  it("leaves work for others' turn when the driver never stops (Q9)", () => {
    const disk = new BlockDriver();
    disk.offer(FLUSH, 0, []);
    let served = 0;
    disk.storage.submit = (request) => {
      if (++served < 3000) disk.driver.offer(0);
      request.complete(0);
    };
    disk.plane.kick();
    assert(disk.events.includes("again"));
    assert(served < 3000);
    while (served < 3000) disk.plane.kick();
  });

  describe("while requests are under way", () => {
    function busy(): BlockDriver {
      const disk = new BlockDriver();
      disk.storage.deferred = true;
      disk.offer(IN, 0, [{ address: DATA, length: 512, flags: WRITE }]);
      disk.plane.kick();
      assert.equal(disk.plane.inFlight, 1);
      return disk;
    }

    it("holds a reset up until they have ended (Q7)", () => {
      const disk = busy();
      disk.state.requestReset();
      assert.equal(disk.state.status, 0x0f);
      disk.plane.kick();
      disk.storage.completeAll();
      assert.equal(disk.state.status, 0);
    });

    it("is quiet once they have ended, and takes nothing more until it resumes", () => {
      const disk = busy();
      let quiet = false;
      disk.plane.quiesce(() => {
        quiet = true;
      });
      disk.offer(FLUSH, 0, [], 4);
      disk.plane.kick();
      assert(!quiet);
      disk.storage.completeAll();
      assert.equal(quiet, true);
      assert(!disk.state.claimed);
      assert.equal(disk.driver.usedIndex, 1);
      disk.storage.deferred = false;
      disk.plane.resume();
      assert.equal(disk.driver.usedIndex, 2);
    });

    it("is quiet at once when there are none", () => {
      let quiet = 0;
      new BlockDriver().plane.quiesce(() => quiet++);
      assert.equal(quiet, 1);
    });

    it("answers out of order, as the storage does", () => {
      const disk = busy();
      disk.offer(FLUSH, 0, [], 4);
      disk.plane.kick();
      disk.storage.completeAt(1);
      disk.storage.completeAt(0);
      assert.deepEqual([disk.driver.used(0)[0], disk.driver.used(1)[0]], [4, 0]);
      assert.deepEqual(disk.events, ["interrupt", "interrupt"]);
    });
  });

  it("touches nothing before the driver has the device on", () => {
    const disk = new BlockDriver();
    disk.state.requestReset();
    disk.offer(FLUSH, 0, []);
    disk.plane.kick();
    assert.equal(disk.driver.usedIndex, 0);
  });

  it("survives any requests, and moves what the disk holds (Q3, Q8)", () => {
    const piece = fc.record({
      address: fc.oneof(fc.nat(LOW_BYTES + 1024), fc.nat(0xffff_ffff)),
      length: fc.oneof(fc.constantFrom(0, 1, 15, 16, 512, 513, 1024), fc.nat(0xffff_ffff)),
      flags: fc.nat(7),
    });
    const request = fc.record({
      type: fc.oneof(fc.constantFrom(IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES), fc.nat(0xffff_ffff)),
      sector: fc.oneof(fc.nat(130), fc.bigInt(0n, 2n ** 64n - 1n)),
      pieces: fc.array(piece, { maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 6 }), fc.boolean(), (requests, deferred) => {
        const disk = new BlockDriver({ features: [9, 28, 29] });
        disk.storage.deferred = deferred;
        for (const { type, sector, pieces } of requests) {
          disk.offer(type, sector, pieces.slice(0, 4));
          disk.plane.kick();
          disk.storage.completeAll();
          assert.equal(disk.plane.inFlight, 0);
          assert(!disk.state.claimed);
        }
      }),
      { numRuns: 200 },
    );
  });
});
