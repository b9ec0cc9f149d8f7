/** SET FEATURES: [ATA-6] T13/1410D, tables 48 and 49 */
import assert from "node:assert/strict";
import { IdeRig } from "./ide-rig.js";

function setFeature(rig: IdeRig, features: number, count = 0): number {
  rig.out(0x1f1, features);
  rig.out(0x1f2, count);
  rig.out(0x1f7, 0xef);
  return rig.in(0x1f7);
}

describe("commonCommand()", () => {
  it("sets the features that there are", () => {
    const rig = new IdeRig();
    const known = Array.from({ length: 256 }, (_, features) => features).filter(
      (code) => setFeature(rig, code) === 0x50,
    );
    assert.deepEqual(known, [0x02, 0x03, 0x55, 0x66, 0x82, 0xaa, 0xcc]);
  });

  it("takes the transfer modes that there are: PIO 0 to 4, multiword DMA 0 to 2, Ultra DMA 0 to 5", () => {
    const rig = new IdeRig();
    const modes = Array.from({ length: 256 }, (_, mode) => mode).filter((mode) => setFeature(rig, 0x03, mode) === 0x50);
    const expected = [0x00, 0x01, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x20, 0x21, 0x22, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45];
    assert.deepEqual(modes, expected);
  });

  it("aborts NOP, always", () => {
    const rig = new IdeRig();
    rig.out(0x1f7, 0x00);
    assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x04]);
  });
});
