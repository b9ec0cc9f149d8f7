import assert from "node:assert/strict";
import fc from "fast-check";
import { Wants } from "../../../../devices/virtio/net/net-plane.js";
import { frame } from "../../../support/frames.js";
import { BUFFERS, F, NetDriver, RX, TX } from "./net-driver.js";

const LONGEST = 65_553;
const SECOND = BUFFERS + 0x2_0000;

describe("NetPlane", () => {
  let driver: NetDriver;

  beforeEach(() => {
    driver = new NetDriver();
    driver.start();
  });

  /** Moves all that can be moved; what is waited for then. */
  function transfer(): number {
    for (let round = 0; round < 1000; round++) {
      const wants = driver.plane.transfer();
      if ((wants & Wants.again) === 0) return wants;
    }
    throw new Error("There is no end to it");
  }

  /** struct virtio_net_hdr_v1 of a frame in `buffers` buffers. */
  function header(buffers: number): Uint8Array {
    return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, buffers, 0);
  }

  describe("sends", () => {
    it("a frame without its header, and gives the buffer back with an interrupt", () => {
      const head = driver.send(frame(60));
      transfer();
      assert.deepEqual(driver.wire.sent, [frame(60)]);
      assert.deepEqual(driver.used(TX), [[head, 0]]);
      assert.deepEqual(driver.interrupts, [TX]);
    });

    it("a frame in one piece with its header", () => {
      driver.ram.bytes.set(frame(100), BUFFERS + 12);
      driver.offer(TX, [[BUFFERS, 112]]);
      transfer();
      assert.deepEqual(driver.wire.sent, [frame(100)]);
    });

    it("many frames with one interrupt, more than one turn's worth without waiting", () => {
      for (let i = 0; i < 128; i++) driver.send(frame(60, i), BUFFERS + i * 256);
      assert.equal(driver.plane.transfer() & Wants.again, Wants.again);
      transfer();
      assert.deepEqual(
        driver.wire.sent,
        Array.from({ length: 128 }, (_, i) => frame(60, i)),
      );
      assert.deepEqual(driver.interrupts, [TX, TX]);
    });

    it("no more than the wire takes, and the rest later", () => {
      driver.wire.room = 1;
      driver.send(frame(60, 1));
      driver.send(frame(60, 2), SECOND);
      assert.equal(transfer() & Wants.room, Wants.room);
      assert.equal(driver.wire.sent.length, 1);
      assert.equal(driver.used(TX).length, 1);
      driver.wire.room = Infinity;
      assert.equal(transfer() & Wants.room, 0);
      assert.deepEqual(driver.wire.sent, [frame(60, 1), frame(60, 2)]);
    });

    it("nothing of what is shorter than a header, and gives it back (W4)", () => {
      const heads = [
        driver.offer(TX, [[BUFFERS, 0]]),
        driver.offer(TX, [[BUFFERS, 11]]),
        driver.offer(TX, [], [[BUFFERS, 60]]),
      ];
      transfer();
      assert.deepEqual(driver.wire.sent, []);
      assert.deepEqual(
        driver.used(TX),
        heads.map((head) => [head, 0]),
      );
    });

    it("what comes to a wire with headers as it is, header included", () => {
      driver = new NetDriver({ offloads: true });
      driver.start([F.mac, F.csum]);
      driver.ram.bytes.set(frame(72), BUFFERS);
      driver.offer(TX, [[BUFFERS, 72]]);
      transfer();
      assert.deepEqual(driver.wire.sent, [frame(72)]);
    });

    it("without interrupts where the driver wants none, and without notifications meanwhile", () => {
      // VIRTQ_AVAIL_F_NO_INTERRUPT
      driver.poke(TX, 0x2000, 1, 0);
      driver.send(frame(60));
      transfer();
      assert.deepEqual(driver.interrupts, []);
      assert.equal(driver.usedFlags(TX), 0);
      driver.wire.room = 0;
      transfer();
      // VIRTQ_USED_F_NO_NOTIFY: room on the wire is what it waits for.
      assert.equal(driver.usedFlags(TX), 1);
    });

    it("by event index: an interrupt where the driver asked, a notification of the next frame", () => {
      driver.start([F.mac, F.mrgRxbuf, F.eventIdx]);
      // used_event: an interrupt once the third frame is gone.
      driver.poke(TX, 0x2000 + 4 + 256 * 2, 2, 0);
      driver.send(frame(60));
      driver.send(frame(60));
      transfer();
      assert.deepEqual(driver.interrupts, []);
      assert.equal(driver.availEvent(TX), 2);
      driver.send(frame(60));
      transfer();
      assert.deepEqual(driver.interrupts, [TX]);
    });
  });

  describe("receives", () => {
    it("nothing without buffers: the wire keeps its frames until there are some", () => {
      driver.wire.arrivals.push(frame(60));
      assert.equal(transfer() & Wants.arrival, 0);
      assert.equal(driver.usedFlags(RX), 0);
      assert.equal(driver.wire.arrivals.length, 1);
      driver.offer(RX, [], [[BUFFERS, 2048]]);
      assert.equal(transfer() & Wants.arrival, Wants.arrival);
      assert.deepEqual(driver.used(RX), [[0, 72]]);
      assert.deepEqual(driver.interrupts, [RX]);
    });

    it("a frame behind a header that says how many buffers it has", () => {
      const head = driver.offer(RX, [], [[BUFFERS, 2048]]);
      driver.wire.arrivals.push(frame(1514));
      driver.ram.bytes.fill(0xee, BUFFERS, BUFFERS + 2048);
      transfer();
      assert.deepEqual(driver.bytes(BUFFERS, 12), header(1));
      assert.deepEqual(driver.bytes(BUFFERS + 12, 1514), frame(1514));
      assert.deepEqual(driver.bytes(BUFFERS + 1526, 100), new Uint8Array(100).fill(0xee));
      assert.deepEqual(driver.used(RX), [[head, 1526]]);
    });

    it("a frame over as many buffers as it needs, each with what is in it", () => {
      const heads = [100, 5, 1000, 2000, 2000].map((length, i) => driver.offer(RX, [], [[BUFFERS + i * 4096, length]]));
      driver.wire.arrivals.push(frame(1514), frame(14));
      transfer();
      assert.deepEqual(driver.bytes(BUFFERS, 12), header(4));
      assert.deepEqual(driver.bytes(BUFFERS + 12, 88), frame(1514).slice(0, 88));
      assert.deepEqual(driver.bytes(BUFFERS + 4096, 5), frame(1514).slice(88, 93));
      assert.deepEqual(driver.bytes(BUFFERS + 3 * 4096, 421), frame(1514).slice(1093));
      assert.deepEqual(driver.used(RX), [
        [heads[0], 100],
        [heads[1], 5],
        [heads[2], 1000],
        [heads[3], 421],
        [heads[4], 26],
      ]);
    });

    it("a header that is itself over several pieces", () => {
      driver.offer(
        RX,
        [],
        [
          [BUFFERS, 1],
          [BUFFERS + 0x100, 10],
          [BUFFERS + 0x200, 3],
          [BUFFERS + 0x300, 100],
        ],
      );
      driver.wire.arrivals.push(frame(60));
      transfer();
      assert.equal(driver.bytes(BUFFERS + 0x100 + 9, 1)[0], 1);
      assert.deepEqual(driver.bytes(BUFFERS + 0x201, 2), frame(60).slice(0, 2));
      assert.deepEqual(driver.bytes(BUFFERS + 0x300, 58), frame(60).slice(2));
    });

    it("the longest frame there is, in pages", () => {
      for (let i = 0; i < 20; i++) driver.offer(RX, [], [[BUFFERS + i * 4096, 4096]]);
      driver.wire.arrivals.push(frame(LONGEST));
      transfer();
      assert.equal(driver.bytes(BUFFERS, 12)[10], 17);
      assert.deepEqual(driver.bytes(BUFFERS + 12, LONGEST), frame(LONGEST));
      assert.equal(
        driver.used(RX).reduce((sum, [, written]) => sum + written, 0),
        LONGEST + 12,
      );
    });

    it("a frame that comes in parts, into the same buffers", () => {
      driver.offer(RX, [], [[BUFFERS, 100]]);
      driver.offer(RX, [], [[SECOND, 2048]]);
      driver.wire.chunk = 50;
      driver.wire.arrivals.push(frame(200));
      for (let part = 0; part < 3; part++) {
        assert.equal(driver.plane.transfer(), Wants.arrival);
        assert.deepEqual(driver.used(RX), []);
      }
      driver.plane.transfer();
      assert.deepEqual(driver.used(RX), [
        [0, 100],
        [1, 112],
      ]);
      assert.deepEqual(driver.bytes(SECOND, 112), frame(200).slice(88));
    });

    it("nothing more until the driver gives more, when a frame does not fit yet", () => {
      driver.offer(RX, [], [[BUFFERS, 100]]);
      driver.wire.arrivals.push(frame(200));
      assert.equal(transfer() & Wants.arrival, 0);
      assert.equal(driver.usedFlags(RX), 0);
      driver.offer(RX, [], [[SECOND, 2048]]);
      transfer();
      assert.deepEqual(driver.used(RX), [
        [0, 100],
        [1, 112],
      ]);
    });

    it("other frames than one that fits in nothing that the driver can give (W5)", () => {
      driver.start([F.mac, F.mrgRxbuf], 4);
      for (let i = 0; i < 4; i++) driver.offer(RX, [], [[BUFFERS + i * 4096, 30]]);
      driver.wire.arrivals.push(frame(1514), frame(40));
      transfer();
      assert.deepEqual(driver.used(RX), [
        [0, 30],
        [1, 22],
      ]);
    });

    it("into one buffer each, when the driver merges none", () => {
      driver.start([F.mac]);
      const heads = [
        driver.offer(
          RX,
          [],
          [
            [BUFFERS, 12],
            [BUFFERS + 0x100, 1514],
          ],
        ),
        driver.offer(RX, [], [[SECOND, 80]]),
      ];
      driver.wire.arrivals.push(frame(1514), frame(100), frame(68));
      transfer();
      assert.deepEqual(driver.bytes(BUFFERS, 12), header(1));
      assert.deepEqual(driver.bytes(BUFFERS + 0x100, 1514), frame(1514));
      assert.deepEqual(driver.used(RX), [
        [heads[0], 1526],
        [heads[1], 80],
      ]);
    });

    it("only what the filter takes, and uses the buffer of what it does not", () => {
      driver.command(0, 0, 0);
      const mine = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56, ...frame(54));
      driver.offer(RX, [], [[BUFFERS + 0x8000, 2048]]);
      driver.wire.arrivals.push(Uint8Array.of(2, ...frame(500)), mine, Uint8Array.of(2, ...frame(59)));
      transfer();
      assert.deepEqual(driver.used(RX), [[0, 72]]);
      assert.deepEqual(driver.bytes(BUFFERS + 0x8000 + 12, 60), mine);
      assert.equal(driver.wire.arrivals.length, 1);
    });

    it("the header that a wire with headers gives, but for the number of buffers", () => {
      driver = new NetDriver({ offloads: true });
      driver.start([F.mac, F.mrgRxbuf, F.guestCsum]);
      driver.offer(RX, [], [[BUFFERS, 50]]);
      driver.offer(RX, [], [[SECOND, 2048]]);
      driver.wire.arrivals.push(frame(112));
      transfer();
      assert.deepEqual(driver.bytes(BUFFERS, 10), frame(112).slice(0, 10));
      assert.deepEqual(driver.bytes(BUFFERS + 10, 2), Uint8Array.of(2, 0));
      assert.deepEqual(driver.used(RX), [
        [0, 50],
        [1, 62],
      ]);
    });

    it("a flood in turns (W3)", () => {
      for (let i = 0; i < 256; i++) driver.offer(RX, [], [[BUFFERS + i * 128, 128]]);
      driver.wire.arrivals.push(...Array.from({ length: 300 }, () => frame(60)));
      assert.equal(driver.plane.transfer() & Wants.again, Wants.again);
      assert.equal(driver.used(RX).length, 64);
      transfer();
      assert.equal(driver.used(RX).length, 256);
      assert.equal(driver.wire.arrivals.length, 300 - 256);
    });
  });

  describe("is at rest", () => {
    it("while the driver does not have the card on", () => {
      driver.send(frame(60));
      driver.state.write("deviceStatus", 0);
      driver.wire.arrivals.push(frame(60));
      assert.equal(driver.plane.transfer(), 0);
      assert.deepEqual(driver.wire.sent, []);
      assert.equal(driver.wire.arrivals.length, 1);
    });

    it("after a reset: what had come in part does not go on into other buffers (W7)", () => {
      driver.offer(RX, [], [[BUFFERS, 2048]]);
      driver.wire.chunk = 50;
      driver.wire.arrivals.push(frame(200), frame(40, 2));
      driver.plane.transfer();
      driver.start();
      driver.ram.bytes.fill(0, BUFFERS, BUFFERS + 4096);
      driver.offer(RX, [], [[SECOND, 2048]]);
      driver.wire.chunk = Infinity;
      transfer();
      assert.deepEqual(driver.bytes(BUFFERS, 4096), new Uint8Array(4096));
      assert.deepEqual(driver.bytes(SECOND + 12, 40), frame(40, 2));
      assert.deepEqual(driver.used(RX), [[0, 52]]);
    });

    it("when quiesced, with all buffers in the queue, and the rest of a frame is lost", () => {
      driver.offer(RX, [], [[BUFFERS, 100]]);
      driver.offer(RX, [], [[SECOND, 2048]]);
      driver.wire.chunk = 50;
      driver.wire.arrivals.push(frame(200));
      driver.plane.transfer();
      driver.plane.quiesce();
      assert.equal(driver.state.queues[RX]?.nextAvail, 0);
      assert.equal(driver.wire.arrivals.length, 0);
      driver.wire.chunk = Infinity;
      driver.wire.arrivals.push(frame(60));
      transfer();
      assert.deepEqual(driver.used(RX), [[0, 72]]);
    });

    it("when quiesced after the driver has reset the card", () => {
      driver.offer(RX, [], [[BUFFERS, 100]]);
      driver.wire.chunk = 50;
      driver.wire.arrivals.push(frame(80));
      driver.plane.transfer();
      driver.state.write("deviceStatus", 0);
      driver.plane.quiesce();
      assert.equal(driver.state.queues[RX]?.nextAvail, 0);
    });
  });

  describe("tells of the link", () => {
    it("once each time it changes, and asks a driver that can to announce itself", () => {
      driver.start([F.mac, F.status, F.guestAnnounce]);
      driver.plane.setLink(false);
      driver.plane.setLink(false);
      assert.deepEqual(driver.interrupts, ["config"]);
      assert.equal(driver.net.readConfig(6, 2), 0);
      driver.plane.setLink(true);
      assert.deepEqual(driver.interrupts, ["config", "config"]);
      assert.equal(driver.net.readConfig(6, 2), 3);
    });

    it("without asking a driver that cannot announce itself", () => {
      driver.plane.setLink(false);
      driver.plane.setLink(true);
      assert.equal(driver.net.readConfig(6, 2), 1);
    });

    it("and uses the buffers of what will not come for what comes", () => {
      driver.offer(RX, [], [[BUFFERS, 2048]]);
      driver.wire.chunk = 50;
      driver.wire.arrivals.push(frame(200));
      driver.plane.transfer();
      driver.wire.discard();
      driver.plane.setLink(false);
      driver.plane.setLink(true);
      driver.wire.chunk = Infinity;
      driver.wire.arrivals.push(frame(60));
      transfer();
      assert.deepEqual(driver.used(RX), [[0, 72]]);
      assert.deepEqual(driver.bytes(BUFFERS + 12, 60), frame(60));
    });
  });

  describe("survives a driver that lies", () => {
    function needsReset(pattern: RegExp): void {
      transfer();
      assert.match(driver.broken.join(), pattern);
      assert.equal(driver.state.status & 0x40, 0x40);
      assert.equal(transfer(), 0);
      driver.start();
      driver.send(frame(60));
      transfer();
      assert.equal(driver.wire.sent.at(-1)?.length, 60);
    }

    it("about its available index", () => {
      driver.poke(TX, 0x2002, 0xff, 0x7f);
      needsReset(/^queue 1: the available index is out of range/);
    });

    it("about a descriptor's number", () => {
      driver.send(frame(60));
      driver.poke(TX, 0x2004, 0xff, 0xff);
      needsReset(/^queue 1: a descriptor index is out of range/);
    });

    it("about where a buffer is", () => {
      driver.offer(RX, [], [[0x7fff_ffff, 2048]]);
      driver.wire.arrivals.push(frame(60));
      needsReset(/^queue 0: a buffer is not in memory/);
    });

    it("with a chain that leads to itself", () => {
      driver.send(frame(60));
      driver.poke(TX, 12, 1, 0, 0, 0);
      needsReset(/^queue 1: a chain is too long/);
    });

    it("with buffers of no bytes (W5)", () => {
      for (let i = 0; i < 256; i++) driver.offer(RX, [], [[BUFFERS, 0]]);
      driver.wire.arrivals.push(frame(60), frame(60));
      transfer();
      assert.equal(driver.wire.arrivals.length, 0);
      assert.deepEqual(driver.broken, []);
    });

    it("with anything in its rings", () => {
      const piece = fc.tuple(
        fc.oneof(fc.integer({ min: 0, max: 0x20_0000 }), fc.integer({ min: 0, max: 2 ** 40 })),
        fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 0xffff_ffff })),
      );
      const chain = fc.record({
        queue: fc.integer({ min: 0, max: 2 }),
        readable: fc.array(piece, { maxLength: 4 }),
        writable: fc.array(piece, { minLength: 1, maxLength: 4 }),
      });
      const poke = fc.record({
        queue: fc.integer({ min: 0, max: 2 }),
        offset: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0x2000, max: 0x2100 })),
        byte: fc.integer({ min: 0, max: 255 }),
      });
      const arrival = fc.record({ arrival: fc.integer({ min: 14, max: 5000 }) });
      fc.assert(
        fc.property(fc.array(fc.oneof(chain, poke, arrival), { maxLength: 30 }), (steps) => {
          driver.start();
          driver.wire.arrivals.length = 0;
          for (const step of steps) {
            if ("arrival" in step) driver.wire.arrivals.push(frame(step.arrival));
            else if ("byte" in step) driver.poke(step.queue, step.offset, step.byte);
            else driver.offer(step.queue, step.readable, step.writable);
            transfer();
          }
        }),
      );
    });
  });
});
