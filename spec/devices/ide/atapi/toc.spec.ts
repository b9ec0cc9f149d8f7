/** [MMC] one data track: READ TOC, READ SUB-CHANNEL, READ DISC INFORMATION, READ TRACK INFORMATION */
import { DVD_BYTES, PacketDriver } from "./packet-driver.js";

describe("Cdrom's table of contents", () => {
  it("lists the track and the lead-out, by block", () => {
    new PacketDriver().run([
      "43 00 00 00 00 00 00 00 14",
      "00 12 01 01 00 14 01 00 00 00 00 00 00 14 aa 00 00 00 03 e8",
    ]);
  });

  it("lists them by minute, second and frame", () => {
    // Block 1000 and 150 of pregap are 15 seconds and 25 frames.
    new PacketDriver().run([
      "43 02 00 00 00 00 00 00 14",
      "00 12 01 01 00 14 01 00 00 00 02 00 00 14 aa 00 00 00 0f 19",
    ]);
  });

  it("begins where it is asked to", () => {
    new PacketDriver().run(
      ["43 00 00 00 00 00 aa 00 14", "00 0a 01 01 00 14 aa 00 00 00 03 e8"],
      ["43 00 00 00 00 00 01 00 04", "00 12 01 01"],
      ["43 00 00 00 00 00 02 00 14", "5/24/00"],
      ["43 00 00 00 00 00 00 00 00", "done"],
    );
  });

  it("has one session, in either place of the format", () => {
    const session = "00 0a 01 01 00 14 01 00 00 00 00 00";
    new PacketDriver().run(
      ["43 00 01 00 00 00 00 00 0c", session],
      ["43 00 00 00 00 00 00 00 0c 40", session],
      ["43 02 01 00 00 00 00 00 0c", "00 0a 01 01 00 14 01 00 00 00 02 00"],
    );
  });

  it("is given in full, as in the lead-in", () => {
    new PacketDriver().run(
      [
        "43 02 02 00 00 00 01 00 30",
        "00 2e 01 01 01 14 00 a0 00 00 00 00 01 00 00 01 14 00 a1 00 00 00 00 01 00 00 " +
          "01 14 00 a2 00 00 00 00 00 0f 19 01 14 00 01 00 00 00 00 00 02 00",
      ],
      ["43 00 02 00 00 00 02 00 30", "5/24/00"],
    );
  });

  it("has no ATIP, PMA or CD-TEXT", () => {
    new PacketDriver().run(
      ["43 00 03 00 00 00 00 00 30", "5/24/00"],
      ["43 00 04 00 00 00 00 00 30", "5/24/00"],
      ["43 00 05 00 00 00 00 00 30", "5/24/00"],
    );
  });

  it("ends a DVD where minutes end, when asked for these", () => {
    new PacketDriver(DVD_BYTES).run(["43 02 00 00 00 00 aa 00 14", "00 0a 01 01 00 14 aa 00 00 ff 3b 4a"]);
  });

  it("has no audio under way, in READ SUB-CHANNEL", () => {
    new PacketDriver().run(
      ["42 00 00 00 00 00 00 00 04", "00 15 00 00"],
      ["42 00 40 01 00 00 00 00 10", "00 15 00 0c 01 14 01 01 00 00 00 00 00 00 00 00"],
      ["42 02 40 01 00 00 00 00 10", "00 15 00 0c 01 14 01 01 00 00 02 00 00 00 02 00"],
      ["42 00 40 02 00 00 00 00 06", "00 15 00 14 02 00"],
      ["42 00 40 03 00 00 01 00 08", "00 15 00 14 03 14 01 00"],
      ["42 00 40 03 00 00 02 00 08", "5/24/00"],
      ["42 00 40 00 00 00 00 00 08", "5/24/00"],
    );
  });

  it("is of a finished disc, in READ DISC INFORMATION", () => {
    new PacketDriver().run(
      [
        "51 00 00 00 00 00 00 00 22",
        "00 20 0e 01 01 01 01 20 00 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff 00 00 00 00 00 00 00 00 00 00",
      ],
      ["51 01 00 00 00 00 00 00 22", "5/24/00"],
    );
  });

  it("has one track as long as the disc, in READ TRACK INFORMATION", () => {
    const track =
      "00 22 01 01 00 04 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 03 e8 00 00 00 00 00 00 00 00";
    new PacketDriver().run(
      ["52 00 00 00 03 e7 00 00 24", track],
      ["52 01 00 00 00 01 00 00 24", track],
      ["52 02 00 00 00 01 00 00 24", track],
      ["52 00 00 00 03 e8 00 00 24", "5/21/00"],
      ["52 01 00 00 00 02 00 00 24", "5/24/00"],
      ["52 03 00 00 00 01 00 00 24", "5/24/00"],
    );
  });
});
