import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { FrontEnd, TestStorage } from "./front-end.js";
import type { Segment } from "./front-end.js";

// BLKIF_OP_* and BLKIF_RSP_*, blkif.h.
const READ = 0;
const WRITE = 1;
const BARRIER = 2;
const FLUSH = 3;
const INDIRECT = 6;
const OKAY = 0;
const ERROR = -1;
const EOPNOTSUPP = -2;

for (const abi of ["x86_64-abi", "x86_32-abi"] as const) {
  describe(`BlkifReader, ${abi}`, () => {
    let guest: FrontEnd;

    beforeEach(() => {
      guest = new FrontEnd({ abi }).connect();
    });

    afterEach("nothing but the ring stays mapped", () => {
      assert.equal(guest.grants.held, 1);
      assert.equal(guest.backend.inFlight, 0);
      assert.deepEqual(guest.stopped, []);
    });

    it("reads sectors into part of a page and leaves the rest alone", () => {
      const gref = guest.share(70);
      assert.equal(guest.run({ op: READ, sector: 3n, segments: [[gref, 2, 4]] }), OKAY);
      const page = guest.memory.page(70);
      assert.deepEqual(page.slice(1024, 2560), guest.storage.image.slice(3 * 512, 6 * 512));
      assert.ok(page.subarray(0, 1024).every((byte) => byte === 0xa0));
      assert.ok(page.subarray(2560).every((byte) => byte === 0xa0));
    });

    it("writes segments in order", () => {
      const segments: Segment[] = [
        [guest.share(71, true), 7, 7],
        [guest.share(200, true), 0, 0],
      ];
      guest.memory.page(71).fill(0x11);
      guest.memory.page(200).fill(0x22);
      assert.equal(guest.run({ op: WRITE, sector: 2046n, segments }), OKAY);
      assert.ok(guest.storage.image.subarray(2046 * 512, 2047 * 512).every((byte) => byte === 0x11));
      assert.ok(guest.storage.image.subarray(2047 * 512).every((byte) => byte === 0x22));
    });

    it("echoes ids of all 64 bits, duplicates too (K10)", () => {
      const gref = guest.share(70);
      for (const id of [0xffff_ffff_ffff_ffffn, 0x8000_0000_0000_0001n, 7n, 7n]) {
        guest.put({ op: READ, id, segments: [[gref, 0, 7]] });
      }
      assert.deepEqual(
        guest.kick().map(({ id, operation, status }) => [id, operation, status]),
        [
          [0xffff_ffff_ffff_ffffn, READ, OKAY],
          [0x8000_0000_0000_0001n, READ, OKAY],
          [7n, READ, OKAY],
          [7n, READ, OKAY],
        ],
      );
    });

    it("refuses 0, 12 and 255 segments on reads and writes (K2)", () => {
      const segments: Segment[] = [[guest.share(70), 0, 7]];
      for (const op of [READ, WRITE]) {
        for (const count of [0, 12, 255]) assert.equal(guest.run({ op, segments, count }), ERROR);
      }
      assert.deepEqual(guest.storage.log, []);
    });

    it("refuses segments that end before they start or after the page (K3)", () => {
      const gref = guest.share(70);
      const bad: Segment[] = [
        [gref, 3, 2],
        [gref, 0, 8],
        [gref, 8, 8],
        [gref, 255, 255],
        [gref, 0, 255],
      ];
      for (const segment of bad) {
        assert.equal(guest.run({ op: READ, segments: [[gref, 0, 0], segment] }), ERROR, segment.join());
      }
      assert.deepEqual(guest.storage.log, []);
    });

    it("refuses ranges past the end and those that wrap 2^64 (K4)", () => {
      const segments: Segment[] = [[guest.share(70), 0, 7]];
      for (const sector of [2041n, 2048n, 1n << 53n, (1n << 63n) - 1n, (1n << 64n) - 1n, (1n << 64n) - 8n]) {
        assert.equal(guest.run({ op: READ, sector, segments }), ERROR, `${sector}`);
        assert.equal(guest.run({ op: WRITE, sector, segments }), ERROR, `${sector}`);
      }
      assert.equal(guest.run({ op: READ, sector: 2040n, segments }), OKAY);
    });

    it("refuses writes and discards on a read-only disk, answers flushes (K5)", () => {
      guest.storage.readOnly = true;
      const segments: Segment[] = [[guest.share(70), 0, 7]];
      assert.equal(guest.run({ op: WRITE, segments }), ERROR);
      assert.equal(guest.run({ op: BARRIER, segments }), ERROR);
      assert.equal(guest.run({ op: FLUSH, segments }), ERROR);
      assert.equal(guest.run({ op: FLUSH }), OKAY);
      guest.putDiscard(0n, 8n);
      guest.putIndirect({ op: WRITE, page: 80, segments });
      assert.deepEqual(
        guest.kick().map(({ status }) => status),
        [ERROR, ERROR],
      );
      assert.deepEqual(guest.storage.log, []);
      assert.equal(guest.run({ op: READ, segments }), OKAY);
    });

    it("answers EOPNOTSUPP to every operation that is not defined (K6)", () => {
      for (let op = 7; op <= 255; op++) assert.equal(guest.run({ op }), EOPNOTSUPP, `${op}`);
      assert.equal(guest.run({ op: 4 }), EOPNOTSUPP);
    });

    it("refuses indirect requests of anything but reads and writes (K6)", () => {
      const segments: Segment[] = [[guest.share(70), 0, 7]];
      for (const op of [BARRIER, FLUSH, 4, 5, INDIRECT, 255]) {
        guest.putIndirect({ op, page: 80, segments });
        assert.equal(guest.kick()[0]?.status, ERROR, `${op}`);
      }
    });

    it("serves 256 indirect segments, and answers with the inner operation", () => {
      const segments: Segment[] = Array.from({ length: 256 }, (_, i) => [guest.share(100 + (i % 50)), i % 8, i % 8]);
      guest.putIndirect({ op: READ, page: 80, sector: 5n, segments });
      assert.deepEqual(guest.kick(), [{ id: 0n, operation: READ, status: OKAY }]);
      const [gref, first] = segments[255] ?? [0, 0, 0];
      const at = first * 512;
      assert.deepEqual(guest.memory.page(gref).slice(at, at + 512), guest.storage.image.slice(260 * 512, 261 * 512));
    });

    it("refuses indirect requests of 0 or too many segments, or with a bad page of descriptors (K7)", () => {
      const segments: Segment[] = [[guest.share(70), 0, 7]];
      for (const count of [0, 257, 4096, 65535]) {
        guest.putIndirect({ op: READ, page: 80, segments, count });
        assert.equal(guest.kick()[0]?.status, ERROR, `${count}`);
      }
      guest.putIndirect({ op: READ, page: 80, segments, gref: 9999 });
      assert.equal(guest.kick()[0]?.status, ERROR);
      const pattern: Segment[] = Array.from({ length: 200 }, () => [0xa5a5_a5a5, 0xa5, 0xa5]);
      guest.putIndirect({ op: READ, page: 80, segments: pattern });
      assert.equal(guest.kick()[0]?.status, ERROR);
      assert.deepEqual(guest.storage.log, []);
    });

    it("gives back all grants when one of many cannot be mapped (G13)", () => {
      const good = Array.from({ length: 10 }, (_, i): Segment => [guest.share(100 + i), 0, 7]);
      for (const bad of [9999, guest.share(90, true)]) {
        assert.equal(guest.run({ op: READ, segments: [...good, [bad, 0, 7]] }), ERROR);
        assert.equal(guest.grants.held, 1);
      }
    });

    it("discards, and refuses ranges past the end or that wrap (K11)", () => {
      guest.putDiscard(8n, 16n);
      assert.equal(guest.kick()[0]?.status, OKAY);
      assert.deepEqual(guest.storage.log, ["discard 4096+8192"]);
      const bad: [bigint, bigint][] = [
        [2048n, 1n],
        [0n, 2049n],
        [(1n << 64n) - 1n, 2n],
        [1n, (1n << 64n) - 1n],
      ];
      for (const [sector, count] of bad) {
        guest.putDiscard(sector, count);
        assert.equal(guest.kick()[0]?.status, ERROR);
      }
      assert.equal(guest.storage.log.length, 1);
    });

    it("ignores the flag of secure discard, which is not offered, and an empty range (K11)", () => {
      guest.putDiscard(0n, 1n, { flag: 1 });
      guest.putDiscard(2048n, 0n);
      assert.deepEqual(
        guest.kick().map(({ status }) => status),
        [OKAY, OKAY],
      );
      assert.deepEqual(guest.storage.log, ["discard 0+512"]);
    });

    it("answers EOPNOTSUPP to a discard that the disk does not offer", () => {
      guest.storage.discards = false;
      guest.putDiscard(0n, 8n);
      assert.equal(guest.kick()[0]?.status, EOPNOTSUPP);
    });

    it("takes requests that are not aligned to 4 KiB (K9)", () => {
      assert.equal(guest.run({ op: READ, sector: 1n, segments: [[guest.share(70), 0, 0]] }), OKAY);
      assert.deepEqual(guest.storage.log, ["read 512+512"]);
    });

    it("merges segments that touch in one region", () => {
      guest.storage.deferred = true;
      const refs = [100, 101, 102, 191, 192, 193, 193].map((frame) => guest.share(frame));
      const ends = [
        [0, 7],
        [0, 7],
        [1, 7],
        [0, 7],
        [0, 7],
        [0, 2],
        [3, 7],
      ] as const;
      guest.put({ op: READ, segments: refs.map((ref, i): Segment => [ref, ends[i]?.[0] ?? 0, ends[i]?.[1] ?? 0]) });
      guest.kick();
      const [request] = guest.storage.pending;
      assert.ok(request !== undefined);
      assert.deepEqual(
        [...request.lengths.subarray(0, request.segmentCount)],
        // 100+101 touch; 102 starts late; 191 is the last low frame, 192 the first high one; 193 follows it in two halves.
        [8192, 3584, 4096, 8192],
      );
      assert.deepEqual(
        request.regions.slice(0, request.segmentCount).map((region) => region?.gpa),
        [0, 0, 0, 0x1_0000_0000],
      );
      guest.storage.completeAll();
    });
  });
}

describe("BlkifReader and a live resize (K21)", () => {
  it("checks against the size of now", () => {
    const guest = new FrontEnd({ storage: new TestStorage(2048) }).connect();
    const segments: Segment[] = [[guest.share(70), 0, 7]];
    guest.storage.sectors = 1024;
    assert.equal(guest.run({ op: READ, sector: 1020n, segments }), ERROR);
    guest.storage.sectors = 2048;
    assert.equal(guest.run({ op: READ, sector: 1020n, segments }), OKAY);
  });
});
