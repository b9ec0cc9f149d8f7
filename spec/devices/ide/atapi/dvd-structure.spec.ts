/** [MMC] READ DISC STRUCTURE; [ECMA-267] physical format information */
import assert from "node:assert/strict";
import { CD_BYTES, DVD_BYTES, PacketDriver } from "./packet-driver.js";

describe("Cdrom's DVD structures", () => {
  it("tell where the data begin and end", () => {
    // 0x30000 + 2,000,000 - 1
    new PacketDriver(DVD_BYTES).run([
      "ad 00 00 00 00 00 00 00 00 15",
      "08 02 00 00 01 0f 01 00 00 03 00 00 00 21 84 7f 00 00 00 00 00",
    ]);
  });

  it("tell of no protection", () => {
    new PacketDriver(DVD_BYTES).run(["ad 00 00 00 00 00 00 01 00 ff", "00 06 00 00 00 00 00 00"]);
  });

  it("have a manufacturer who says nothing", () => {
    const answer = new PacketDriver(DVD_BYTES).send("ad 00 00 00 00 00 00 04 ff ff");
    assert.equal(answer, `08 02${" 00".repeat(2050)}`);
  });

  it("are listed", () => {
    new PacketDriver(DVD_BYTES).run([
      "ad 00 00 00 00 00 00 ff 00 ff",
      "00 0e 00 00 00 40 08 04 01 40 00 08 04 40 08 04",
    ]);
  });

  it("are no others, of no other layer and no other kind of disc", () => {
    new PacketDriver(DVD_BYTES).run(
      ["ad 00 00 00 00 00 00 03 00 ff", "5/24/00"],
      ["ad 00 00 00 00 00 01 00 00 ff", "5/24/00"],
      ["ad 01 00 00 00 00 00 00 00 ff", "5/24/00"],
    );
  });

  it("are not a CD's", () => {
    new PacketDriver(CD_BYTES).run(["ad 00 00 00 00 00 00 00 00 ff", "5/30/02"]);
  });
});
