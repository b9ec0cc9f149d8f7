/** [MMC] MODE SENSE, MODE SELECT; [ATAPI] capabilities and mechanical status page */
import { CD_BYTES, PacketDriver } from "./packet-driver.js";

const ERROR_RECOVERY = "01 06 00 05 00 00 00 00";
const CD_PARAMETERS = "0d 06 00 00 00 3c 00 4b";
const AUDIO = "0e 0e 04 00 00 00 00 4b 00 00 00 00 00 00 00 00";
const capabilities = (mechanism: string): string =>
  `2a 12 0b 00 70 00 ${mechanism} 00 10 80 00 00 02 00 10 80 00 00 00 00`;

describe("Cdrom's mode pages", () => {
  it("are given one by one, after a header of 8 bytes", () => {
    new PacketDriver().run(
      ["5a 00 01 00 00 00 00 00 ff", `00 0e 01 00 00 00 00 00 ${ERROR_RECOVERY}`],
      ["5a 00 0d 00 00 00 00 00 ff", `00 0e 01 00 00 00 00 00 ${CD_PARAMETERS}`],
      ["5a 00 0e 00 00 00 00 00 ff", `00 16 01 00 00 00 00 00 ${AUDIO}`],
      ["5a 00 2a 00 00 00 00 00 ff", `00 1a 01 00 00 00 00 00 ${capabilities("29")}`],
    );
  });

  it("are given all together", () => {
    const all = `${ERROR_RECOVERY} ${CD_PARAMETERS} ${AUDIO} ${capabilities("29")}`;
    new PacketDriver().run(["5a 00 3f 00 00 00 00 00 ff", `00 3a 01 00 00 00 00 00 ${all}`]);
  });

  it("have a header of 4 bytes by MODE SENSE (6)", () => {
    new PacketDriver().run(["1a 00 2a 00 ff", `17 01 00 00 ${capabilities("29")}`], ["1a 00 2a 00 04", "17 01 00 00"]);
  });

  it("show the lock, the open tray and the missing medium", () => {
    const driver = new PacketDriver();
    driver.run(
      ["1e 00 00 00 01", "done"],
      ["5a 00 2a 00 00 00 00 00 ff", `00 1a 01 00 00 00 00 00 ${capabilities("2b")}`],
    );
    driver.drive.eject();
    driver.run(["5a 00 2a 00 00 00 00 00 03", "00 1a 71"]);
    new PacketDriver(0).run(["5a 00 2a 00 00 00 00 00 03", "00 1a 70"]);
  });

  it("have nothing that could be changed, defaults as they are, and nothing saved", () => {
    new PacketDriver(CD_BYTES).run(
      ["5a 00 41 00 00 00 00 00 ff", "00 0e 01 00 00 00 00 00 01 06 00 00 00 00 00 00"],
      ["5a 00 81 00 00 00 00 00 ff", `00 0e 01 00 00 00 00 00 ${ERROR_RECOVERY}`],
      ["5a 00 c1 00 00 00 00 00 ff", "5/39/00"],
    );
  });

  it("are no others", () => {
    new PacketDriver().run(["5a 00 00 00 00 00 00 00 ff", "5/24/00"], ["5a 00 05 00 00 00 00 00 ff", "5/24/00"]);
  });

  it("cannot be set, but by a list of nothing", () => {
    new PacketDriver().run(
      ["15 10 00 00 0c", "5/26/00"],
      ["15 10 00 00 00", "done"],
      ["55 10 00 00 00 00 00 00 10", "5/26/00"],
      ["55 10", "done"],
    );
  });
});
