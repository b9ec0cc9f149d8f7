/** [MMC], [SPC]: packets and what they answer; a refusal reads sense key/code/qualifier. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Cdrom } from "../../../../devices/ide/atapi/cdrom.js";
import { smallArena } from "../../port-driver.js";
import { CD_BYTES, DVD_BYTES, PacketDriver } from "./packet-driver.js";

const TEST_UNIT_READY = "00";
const REQUEST_SENSE = "03 00 00 00 12";
const CAPACITY = "25";
const EJECT = "1b 00 00 00 02";
const LOAD = "1b 00 00 00 03";
const START = "1b 00 00 00 01";
const STOP = "1b";
const PREVENT = "1e 00 00 00 01";
const ALLOW = "1e";
const MEDIA_EVENT = "4a 01 00 00 10 00 00 00 08";

describe("Cdrom", () => {
  describe("with a medium", () => {
    it("is ready", () => {
      new PacketDriver().run([TEST_UNIT_READY, "done"], [START, "done"], [STOP, "done"]);
    });

    it("tells its last block and the size of each", () => {
      new PacketDriver().run([CAPACITY, "00 00 03 e7 00 00 08 00"]);
      new PacketDriver(DVD_BYTES).run([CAPACITY, "00 1e 84 7f 00 00 08 00"]);
    });

    it("sees whole blocks only", () => {
      new PacketDriver(CD_BYTES + 2047).run([CAPACITY, "00 00 03 e7 00 00 08 00"]);
    });

    it("counts no further than 32 bits do", () => {
      new PacketDriver(2 ** 52).run([CAPACITY, "ff ff ff fe 00 00 08 00"]);
    });

    it("reads by READ (10) and READ (12), as far as the medium goes", () => {
      new PacketDriver().run(
        ["28 00 00 00 00 00 00 00 01 00", "read 0 + 1"],
        ["28 00 00 00 03 e7 00 00 01 00", "read 999 + 1"],
        ["28 00 00 00 00 00 00 03 e8 00", "read 0 + 1000"],
        ["28 00 00 00 00 01 00 03 e8 00", "5/21/00"],
        ["28 00 00 00 03 e8 00 00 01 00", "5/21/00"],
        ["28 00 00 00 00 05 00 00 00 00", "done"],
        ["a8 00 00 00 01 00 00 00 00 10", "read 256 + 16"],
        ["a8 00 00 00 03 e7 00 00 00 02", "5/21/00"],
      );
    });

    it("refuses blocks and counts at the end of 32 bits (I10)", () => {
      new PacketDriver().run(
        ["28 00 ff ff ff ff 00 ff ff 00", "5/21/00"],
        ["a8 00 ff ff ff ff ff ff ff ff", "5/21/00"],
        ["be 00 ff ff ff ff ff ff ff 10", "5/21/00"],
        ["2b 00 ff ff ff ff", "5/21/00"],
      );
    });

    it("reads user data by READ CD, and nothing where none is asked for", () => {
      new PacketDriver().run(
        ["be 00 00 00 00 10 00 00 02 10", "read 16 + 2"],
        ["be 08 00 00 00 10 00 00 02 10", "read 16 + 2"],
        ["be 10 00 00 00 10 00 00 02 10", "read 16 + 2"],
        ["be 00 00 00 00 10 00 00 02 00", "done"],
        ["be 00 00 00 00 10 00 00 00 10", "done"],
      );
    });

    it("refuses of READ CD what an image does not hold (I10)", () => {
      new PacketDriver().run(
        ["be 00 00 00 00 10 00 00 02 f8", "5/24/00"], // sync, headers, error codes
        ["be 00 00 00 00 10 00 00 02 10 01", "5/24/00"], // sub-channel
        ["be 04 00 00 00 10 00 00 02 10", "5/64/00"], // CD-DA
        ["be 00 00 00 03 e8 00 00 01 00", "5/21/00"],
      );
    });

    it("reads by READ CD MSF, counted from 00:02:00", () => {
      new PacketDriver().run(
        ["b9 00 00 00 02 00 00 02 05 10", "read 0 + 5"],
        ["b9 00 00 00 03 01 00 03 02 10", "read 76 + 1"],
        ["b9 00 00 00 01 4a 00 02 05 10", "5/21/00"],
        ["b9 00 00 00 03 00 00 02 00 10", "5/24/00"],
        ["b9 00 00 ff ff ff ff ff ff 10", "5/21/00"],
      );
    });

    it("seeks where there are blocks", () => {
      new PacketDriver().run(["2b 00 00 00 03 e7", "done"], ["2b 00 00 00 03 e8", "5/21/00"]);
    });

    it("takes a speed, and has one", () => {
      new PacketDriver().run(["bb 00 02 c2", "done"]);
    });

    it("says that its tray is closed, in MECHANISM STATUS", () => {
      new PacketDriver().run(["bd 00 00 00 00 00 00 00 00 08", "00 00 00 00 00 01 00 00"]);
    });

    it("reports what the host cannot read", () => {
      const driver = new PacketDriver();
      driver.run(["28 00 00 00 00 00 00 00 01 00", "read 0 + 1"]);
      assert.deepEqual(driver.drive.readFailed(), { kind: "error", sense: 3 });
      assert.equal(driver.sense(), "3/11/00");
    });
  });

  describe("without a medium (I8)", () => {
    it("is not ready for what needs one, and says so before it looks at fields", () => {
      const driver = new PacketDriver(0);
      for (const packet of [
        TEST_UNIT_READY,
        CAPACITY,
        START,
        "28 00 ff ff ff ff 00 ff ff",
        "2b",
        "42",
        "43",
        "51",
        "52",
        "a8",
        "ad",
        "b9",
        "be",
      ]) {
        driver.run([packet, "2/3a/01"]);
      }
    });

    it("says that the tray is open when it is", () => {
      new PacketDriver(0).run(
        [EJECT, "done"],
        [TEST_UNIT_READY, "2/3a/02"],
        ["bd 00 00 00 00 00 00 00 00 08", "00 10 00 00 00 01 00 00"],
        [LOAD, "done"],
        [TEST_UNIT_READY, "2/3a/01"],
      );
    });

    it("answers what is about the drive alone", () => {
      const driver = new PacketDriver(0);
      driver.run(["12 00 00 00 02", "05 80"], [PREVENT, "done"], ["5a 00 2a 00 00 00 00 00 03", "00 1a 70"]);
    });

    it("calls a failed read what it is when the medium has gone meanwhile", () => {
      const driver = new PacketDriver();
      driver.drive.eject();
      assert.deepEqual(driver.drive.readFailed(), { kind: "error", sense: 2 });
    });
  });

  describe("sense", () => {
    it("is kept until it is asked for, and gone then", () => {
      const driver = new PacketDriver();
      const target = new Uint8Array(65_536);
      assert.deepEqual(driver.drive.execute(new Uint8Array(12).fill(0xff), target), { kind: "error", sense: 5 });
      driver.run(
        [REQUEST_SENSE, "70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 00 00 00"],
        [REQUEST_SENSE, "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00"],
      );
    });

    it("survives INQUIRY, and no command that could set it", () => {
      const driver = new PacketDriver();
      const target = new Uint8Array(65_536);
      driver.drive.execute(new Uint8Array(12).fill(0xff), target);
      driver.run(["12 00 00 00 01", "05"]);
      assert.equal(driver.sense(), "5/20/00");
      driver.drive.execute(new Uint8Array(12).fill(0xff), target);
      driver.run([TEST_UNIT_READY, "done"]);
      assert.equal(driver.sense(), "0/00/00");
    });

    it("is cut to the allocation length, and not given in descriptors", () => {
      new PacketDriver().run(["03 00 00 00 03", "70 00 00"], ["03", "done"], ["03 01 00 00 12", "5/24/00"]);
    });

    it("is forgotten by DEVICE RESET", () => {
      const driver = new PacketDriver();
      driver.drive.execute(new Uint8Array(12).fill(0xff), new Uint8Array(65_536));
      driver.drive.softReset();
      assert.equal(driver.sense(), "0/00/00");
    });
  });

  describe("unit attention", () => {
    it("tells of the reset first, then of the medium that came, once each", () => {
      const driver = new PacketDriver();
      driver.drive.reset();
      driver.drive.load(CD_BYTES);
      driver.run([TEST_UNIT_READY, "6/29/00"], [CAPACITY, "6/28/00"], [TEST_UNIT_READY, "done"]);
    });

    it("lets INQUIRY, GET CONFIGURATION and GET EVENT STATUS NOTIFICATION by", () => {
      const driver = new PacketDriver();
      driver.drive.load(CD_BYTES);
      driver.run(
        ["12 00 00 00 01", "05"],
        ["46 02 ff ff 00 00 00 00 08", "00 00 00 04 00 00 00 08"],
        [MEDIA_EVENT, "00 06 04 12 02 02 00 00"],
        [TEST_UNIT_READY, "6/28/00"],
      );
    });

    it("is told, and taken, by REQUEST SENSE", () => {
      const driver = new PacketDriver();
      driver.drive.load(CD_BYTES);
      assert.equal(driver.sense(), "6/28/00");
      driver.run([TEST_UNIT_READY, "done"]);
    });

    it("comes before the medium's absence", () => {
      const driver = new PacketDriver(0);
      driver.drive.reset();
      driver.run([TEST_UNIT_READY, "6/29/00"], [TEST_UNIT_READY, "2/3a/01"]);
    });
  });

  describe("the tray", () => {
    it("is opened and closed by the guest, with the medium in it, and the host hears of it", () => {
      const driver = new PacketDriver();
      driver.run([EJECT, "done"], [EJECT, "done"], [TEST_UNIT_READY, "2/3a/02"]);
      assert.deepEqual([driver.moves, driver.drive.trayOpen, driver.drive.present], [["opened"], true, true]);
      driver.run([MEDIA_EVENT, "00 06 04 12 03 03 00 00"]);
      driver.run([LOAD, "done"], [TEST_UNIT_READY, "6/28/00"], [TEST_UNIT_READY, "done"]);
      assert.deepEqual([driver.moves, driver.drive.trayOpen], [["opened", "closed"], false]);
    });

    it("stays closed while the guest has locked it", () => {
      const driver = new PacketDriver();
      driver.run([PREVENT, "done"], [EJECT, "5/53/02"], [TEST_UNIT_READY, "done"]);
      assert.equal(driver.drive.locked, true);
      driver.run([ALLOW, "done"], [EJECT, "done"]);
      assert.deepEqual([driver.drive.locked, driver.moves], [false, ["opened"]]);
    });

    it("can be closed although it was locked open", () => {
      new PacketDriver().run([EJECT, "done"], [PREVENT, "done"], [EJECT, "done"], [LOAD, "done"]);
    });

    it("is not moved by a power condition", () => {
      const driver = new PacketDriver();
      driver.run(["1b 00 00 00 22", "done"], [TEST_UNIT_READY, "done"]);
      assert.deepEqual(driver.moves, []);
    });

    it("is opened and emptied by the host, and closed over another medium", () => {
      const driver = new PacketDriver();
      driver.drive.eject();
      assert.deepEqual([driver.drive.trayOpen, driver.drive.present], [true, false]);
      driver.run([TEST_UNIT_READY, "2/3a/02"], [MEDIA_EVENT, "00 06 04 12 03 01 00 00"]);
      driver.drive.load(10 * 2048);
      driver.run(
        [MEDIA_EVENT, "00 06 04 12 02 02 00 00"],
        [TEST_UNIT_READY, "6/28/00"],
        [CAPACITY, "00 00 00 09 00 00 08 00"],
      );
    });

    it("asks the guest when the host wants a locked medium out", () => {
      const driver = new PacketDriver();
      driver.run([PREVENT, "done"]);
      driver.drive.requestEject();
      driver.run([MEDIA_EVENT, "00 06 04 12 01 02 00 00"], [MEDIA_EVENT, "00 06 04 12 00 02 00 00"]);
    });
  });

  describe("reset", () => {
    it("keeps tray and medium, and forgets lock, sense and news", () => {
      const driver = new PacketDriver();
      driver.run([PREVENT, "done"]);
      driver.drive.load(10 * 2048);
      driver.drive.execute(new Uint8Array(12).fill(0xff), driver.target);
      driver.drive.reset();
      assert.deepEqual([driver.drive.locked, driver.drive.present], [false, true]);
      driver.run(
        [TEST_UNIT_READY, "6/29/00"],
        [TEST_UNIT_READY, "done"],
        [CAPACITY, "00 00 00 09 00 00 08 00"],
        [EJECT, "done"],
      );
      driver.drive.reset();
      driver.run([TEST_UNIT_READY, "6/29/00"], [TEST_UNIT_READY, "2/3a/02"]);
    });
  });

  it("comes back from its saved state as it was", () => {
    const driver = new PacketDriver();
    driver.run([PREVENT, "done"]);
    driver.drive.load(10 * 2048);
    driver.drive.execute(new Uint8Array(12).fill(0xff), driver.target);
    const copy = new PacketDriver(0);
    copy.drive.restore(driver.drive.save());
    assert.equal(copy.drive.locked, true);
    assert.equal(copy.sense(), "5/20/00");
    copy.run(
      [MEDIA_EVENT, "00 06 04 12 02 02 00 00"],
      [TEST_UNIT_READY, "6/28/00"],
      [CAPACITY, "00 00 00 09 00 00 08 00"],
    );
  });

  it("refuses what it does not know (I17)", () => {
    const known = [
      0x00, 0x03, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x42, 0x43, 0x46, 0x4a, 0x51, 0x52, 0x55, 0x5a, 0xa8,
      0xad, 0xb9, 0xbb, 0xbd, 0xbe,
    ];
    const driver = new PacketDriver();
    const refused = Array.from({ length: 256 }, (_, opcode) => opcode).filter(
      (opcode) => driver.send(opcode.toString(16).padStart(2, "0")) === "5/20/00",
    );
    assert.deepEqual(
      refused,
      Array.from({ length: 256 }, (_, opcode) => opcode).filter((opcode) => !known.includes(opcode)),
    );
  });

  it("takes any packets, answers within their bounds, and reads within the medium", () => {
    const blocks = 1000;
    const packet = fc.tuple(
      fc.oneof(fc.nat(255), fc.constantFrom(0x28, 0x43, 0x46, 0x4a, 0x5a, 0xa8, 0xad, 0xb9, 0xbe)),
      fc.uint8Array({ minLength: 11, maxLength: 11 }),
    );
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 40 }), (packets) => {
        const drive = new Cdrom(
          smallArena(),
          { trayMoved: () => undefined },
          { model: "M", serial: "S", firmware: "F" },
        );
        drive.load(blocks * 2048);
        drive.reset();
        const target = new Uint8Array(65_536);
        for (const [opcode, rest] of packets) {
          const reply = drive.execute(Uint8Array.of(opcode, ...rest), target);
          if (reply.kind === "data") assert(reply.length > 0 && reply.length <= 65_536);
          if (reply.kind === "error") assert(reply.sense > 0 && reply.sense < 16);
          if (reply.kind === "read") {
            assert(reply.length > 0 && reply.length % 2048 === 0 && reply.offset % 2048 === 0);
            assert(reply.offset + reply.length <= blocks * 2048);
          }
        }
      }),
    );
  });
});
