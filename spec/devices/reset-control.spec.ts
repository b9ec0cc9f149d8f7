/** [PIIX3] Intel 82371SB, 290550-002, 2.5.7 */
import assert from "node:assert/strict";
import { ResetControl } from "../../devices/reset-control.js";
import { assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "./port-driver.js";

function board(): { device: ResetControl; resets: () => number } {
  let resets = 0;
  const device = new ResetControl(smallArena(), {
    reset: () => {
      resets++;
    },
  });
  device.reset();
  return { device, resets: () => resets };
}

describe("ResetControl", () => {
  it("resets when bit 2 is written, and keeps the kind of reset", () => {
    const { device, resets } = board();
    const ports = driveRanges(device.ports);
    runSteps(ports, [
      ["out", 0xcf9, 1, 0x02],
      ["in", 0xcf9, 1, 0x02],
    ]);
    assert.equal(resets(), 0);
    runSteps(ports, [
      ["out", 0xcf9, 1, 0x06],
      ["in", 0xcf9, 1, 0x02],
    ]);
    assert.equal(resets(), 1);
  });

  it("goes on where it was after save and restore", () => {
    const { device } = board();
    runSteps(driveRanges(device.ports), [["out", 0xcf9, 1, 0x02]]);
    const other = board().device;
    other.restore(structuredClone(device.save()));
    runSteps(driveRanges(other.ports), [["in", 0xcf9, 1, 0x02]]);
  });

  it("takes any guest input (P7, P9)", () => {
    assertDeviceTakesAnything(board().device.ports);
  });
});
