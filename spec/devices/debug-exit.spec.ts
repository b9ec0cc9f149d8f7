import assert from "node:assert/strict";
import { DebugExit } from "../../devices/debug-exit.js";
import { assertDeviceTakesAnything, driveRanges, runSteps } from "./port-driver.js";

function board(): { device: DebugExit; codes: number[] } {
  const codes: number[] = [];
  const device = new DebugExit(
    { iobase: 0xf4, iosize: 4 },
    {
      exit: (code) => {
        codes.push(code);
      },
    },
  );
  return { device, codes };
}

describe("DebugExit", () => {
  it("exits with twice the value and one", () => {
    const { device, codes } = board();
    runSteps(driveRanges(device.ports), [
      ["out", 0xf4, 4, 0x10],
      ["out", 0xf4, 1, 0x00],
      ["out", 0xf6, 2, 0x1ff],
    ]);
    assert.deepEqual(codes, [0x21, 0x01, 0xff]);
  });

  it("reads as zero", () => {
    runSteps(driveRanges(board().device.ports), [["in", 0xf4, 4, 0]]);
  });

  it("takes any guest input (P7)", () => {
    const { device, codes } = board();
    assertDeviceTakesAnything(device.ports);
    device.reset();
    assert.ok(codes.every((code) => code > 0 && code < 256));
  });
});
