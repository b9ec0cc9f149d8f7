/** [MMC] features and profiles; GET CONFIGURATION */
import { CD_BYTES, DVD_BYTES, PacketDriver } from "./packet-driver.js";

const CORE = "00 01 0b 08 00 00 00 02 01 00 00 00";
const MORPHING = "00 02 07 04 02 00 00 00";
const REMOVABLE = "00 03 03 04 29 00 00 00";

describe("Cdrom's features", () => {
  it("follow the profile list, current ones marked, with a CD in the drive", () => {
    new PacketDriver(CD_BYTES).run([
      "46 00 00 00 00 00 00 00 ff",
      `00 00 00 44 00 00 00 08 00 00 03 08 00 10 00 00 00 08 01 00 ${CORE} ${MORPHING} ${REMOVABLE} ` +
        "00 10 01 08 00 00 08 00 00 01 00 00 00 1e 09 04 00 00 00 00 00 1f 00 00",
    ]);
  });

  it("are those of a DVD when the medium is larger than a CD", () => {
    new PacketDriver(DVD_BYTES).run(
      ["46 02 00 00 00 00 00 00 ff", "00 00 00 10 00 00 00 10 00 00 03 08 00 10 01 00 00 08 00 00"],
      ["46 02 00 1f 00 00 00 00 ff", "00 00 00 08 00 00 00 10 00 1f 01 00"],
    );
  });

  it("change at 80 minutes", () => {
    new PacketDriver(360_000 * 2048).run(["46 02 ff ff 00 00 00 00 08", "00 00 00 04 00 00 00 08"]);
    new PacketDriver(360_001 * 2048).run(["46 02 ff ff 00 00 00 00 08", "00 00 00 04 00 00 00 10"]);
  });

  it("can be asked for from one on, and current ones alone", () => {
    new PacketDriver(0).run(
      [
        "46 00 00 10 00 00 00 00 ff",
        "00 00 00 1c 00 00 00 00 00 10 00 08 00 00 08 00 00 01 00 00 00 1e 08 04 00 00 00 00 00 1f 00 00",
      ],
      ["46 01 00 02 00 00 00 00 ff", `00 00 00 14 00 00 00 00 ${MORPHING} ${REMOVABLE}`],
      ["46 00 ff ff 00 00 00 00 ff", "00 00 00 04 00 00 00 00"],
    );
  });

  it("are cut to the allocation length", () => {
    new PacketDriver(CD_BYTES).run(["46 00 00 00 00 00 00 00 08", "00 00 00 44 00 00 00 08"], ["46", "done"]);
  });

  it("cannot be asked for in the reserved way", () => {
    new PacketDriver().run(["46 03 00 00 00 00 00 00 ff", "5/24/00"]);
  });
});
