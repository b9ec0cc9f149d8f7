/** [SPC] 6.4 INQUIRY, 7.6 vital product data; [ATAPI] INQUIRY */
import { PacketDriver, hex } from "./packet-driver.js";

const ascii = (text: string): string => hex(Buffer.from(text, "latin1"));

describe("Cdrom's identity", () => {
  it("is a removable medium's drive, by INQUIRY", () => {
    new PacketDriver().run(["12 00 00 00 ff", `05 80 00 21 1f 00 00 00 ${ascii("XENOLITHDVD-ROM         1.0 ")}`]);
  });

  it("is cut to the allocation length of 16 bits", () => {
    new PacketDriver().run(["12 00 00 00 05", "05 80 00 21 1f"], ["12 00 00 00 00", "done"]);
    new PacketDriver().run(["12 00 00 01 00", `05 80 00 21 1f 00 00 00 ${ascii("XENOLITHDVD-ROM         1.0 ")}`]);
  });

  it("has a serial number and a name in the vital product data", () => {
    new PacketDriver().run(
      ["12 01 00 00 ff", "05 00 00 03 00 80 83"],
      ["12 01 80 00 ff", `05 80 00 07 ${ascii("XL00003")}`],
      ["12 01 83 00 ff", `05 83 00 0b 02 00 00 07 ${ascii("XL00003")}`],
      ["12 01 b0 00 ff", "5/24/00"],
      ["12 00 80 00 ff", "5/24/00"],
    );
  });
});
