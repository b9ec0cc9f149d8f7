/** [PIIX3] Intel 82371SB, 290550-002 */
import assert from "node:assert/strict";
import { Piix3, pirqOf } from "../../../devices/pci/piix3.js";
import { smallArena } from "../port-driver.js";

function board(): { bridge: Piix3; changes: () => number } {
  let changes = 0;
  const bridge = new Piix3(smallArena(), {
    routesChanged: () => {
      changes++;
    },
  });
  bridge.reset();
  changes = 0;
  return { bridge, changes: () => changes };
}

describe("pirqOf()", () => {
  it("starts with A at slot 1's INTA and rotates by slot", () => {
    assert.equal(pirqOf(1, 1), 0);
    assert.equal(pirqOf(2, 1), 1);
    assert.equal(pirqOf(2, 4), 0);
    assert.equal(pirqOf(5, 1), 0);
  });
});

describe("Piix3", () => {
  it("is the first function of a multifunction device at 01.0", () => {
    const { bridge } = board();
    assert.deepEqual([bridge.slot, bridge.function], [1, 0]);
    assert.equal(bridge.readConfig(0x00, 4), 0x7000_8086);
    assert.equal(bridge.readConfig(0x0a, 2), 0x0601);
    assert.equal(bridge.readConfig(0x0e, 1), 0x80);
  });

  it("routes nothing out of reset", () => {
    const { bridge } = board();
    assert.equal(bridge.readConfig(0x60, 4), 0x8080_8080);
    assert.equal(bridge.intxGsi(2, 1), -1);
  });

  it("routes a pin where its PIRQ register says", () => {
    const { bridge, changes } = board();
    bridge.writeConfig(0x60, 4, 0x0b0b_0a0a);
    assert.equal(changes(), 1);
    assert.equal(bridge.intxGsi(2, 1), 10);
    assert.equal(bridge.intxGsi(2, 2), 11);
    bridge.writeConfig(0x61, 1, 0x05);
    assert.equal(bridge.intxGsi(2, 1), 5);
  });

  it("routes nowhere on garbage (P6)", () => {
    const { bridge } = board();
    bridge.writeConfig(0x60, 4, 0x0000_0208);
    assert.equal(bridge.intxGsi(1, 1), -1, "the RTC's interrupt");
    assert.equal(bridge.intxGsi(2, 1), -1, "the cascade");
    bridge.writeConfig(0x60, 4, 0xffff_ffff);
    assert.equal(bridge.readConfig(0x60, 4), 0x8f8f_8f8f);
    assert.equal(bridge.intxGsi(1, 1), -1);
  });

  it("says nothing when other registers are written", () => {
    const { bridge, changes } = board();
    bridge.writeConfig(0x4c, 4, 0xffff_ffff);
    assert.equal(changes(), 0);
  });

  it("goes on where it was after save and restore", () => {
    const { bridge } = board();
    bridge.writeConfig(0x61, 1, 0x0a);
    const other = board().bridge;
    other.restore(structuredClone(bridge.save()));
    assert.equal(other.intxGsi(2, 1), 10);
  });
});
