/** [MMC] GET EVENT STATUS NOTIFICATION: classes 1 (operational change) and 4 (media) are supported, 0x12 by bits. */
import { CD_BYTES, PacketDriver } from "./packet-driver.js";

const ALL = "4a 01 00 00 7e 00 00 00 08";
const MEDIA = "4a 01 00 00 10 00 00 00 08";
const OPERATIONAL = "4a 01 00 00 02 00 00 00 08";

describe("Cdrom's events", () => {
  it("tell of the medium that was there at power-on, once", () => {
    new PacketDriver().run([MEDIA, "00 06 04 12 02 02 00 00"], [MEDIA, "00 06 04 12 00 02 00 00"]);
  });

  it("tell of no medium when there was none", () => {
    new PacketDriver(0).run([MEDIA, "00 06 04 12 00 00 00 00"]);
  });

  it("tell of a changed profile first when both are asked for", () => {
    const driver = new PacketDriver(0);
    driver.drive.load(CD_BYTES);
    driver.run([ALL, "00 06 01 12 02 00 00 01"], [ALL, "00 06 04 12 02 02 00 00"], [ALL, "00 06 01 12 00 00 00 00"]);
  });

  it("keep what was not asked for", () => {
    const driver = new PacketDriver(0);
    driver.drive.load(CD_BYTES);
    driver.run(
      [MEDIA, "00 06 04 12 02 02 00 00"],
      [MEDIA, "00 06 04 12 00 02 00 00"],
      [OPERATIONAL, "00 06 01 12 02 00 00 01"],
      [OPERATIONAL, "00 06 01 12 00 00 00 00"],
    );
  });

  it("are none of the classes that are not supported", () => {
    new PacketDriver().run(
      ["4a 01 00 00 6c 00 00 00 08", "00 02 80 12"],
      ["4a 01 00 00 00 00 00 00 08", "00 02 80 12"],
    );
  });

  it("do not come by themselves", () => {
    new PacketDriver().run(["4a 00 00 00 10 00 00 00 08", "5/24/00"]);
  });

  it("are cut to the allocation length", () => {
    new PacketDriver().run(["4a 01 00 00 10 00 00 00 04", "00 06 04 12"]);
  });
});
