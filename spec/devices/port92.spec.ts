import assert from "node:assert/strict";
import { Port92 } from "../../devices/port92.js";
import { assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "./port-driver.js";

function board(): { device: Port92; resets: () => number } {
  let resets = 0;
  const device = new Port92(smallArena(), {
    reset: () => {
      resets++;
    },
  });
  device.reset();
  return { device, resets: () => resets };
}

describe("Port92", () => {
  it("keeps the A20 bit, which is on at power-on", () => {
    runSteps(driveRanges(board().device.ports), [
      ["in", 0x92, 1, 0x02],
      ["out", 0x92, 1, 0x00],
      ["in", 0x92, 1, 0x00],
      ["out", 0x92, 1, 0xfe],
      ["in", 0x92, 1, 0x02],
    ]);
  });

  it("resets when bit 0 rises", () => {
    const { device, resets } = board();
    runSteps(driveRanges(device.ports), [
      ["out", 0x92, 1, 0x03],
      ["out", 0x92, 1, 0x03],
    ]);
    assert.equal(resets(), 1);
  });

  it("goes on where it was after save and restore", () => {
    const { device } = board();
    runSteps(driveRanges(device.ports), [["out", 0x92, 1, 0x00]]);
    const other = board().device;
    other.restore(structuredClone(device.save()));
    runSteps(driveRanges(other.ports), [["in", 0x92, 1, 0x00]]);
  });

  it("takes any guest input (P7, P9)", () => {
    assertDeviceTakesAnything(board().device.ports);
  });
});
