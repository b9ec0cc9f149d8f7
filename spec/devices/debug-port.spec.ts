import assert from "node:assert/strict";
import { DebugPort } from "../../devices/debug-port.js";
import { assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "./port-driver.js";

function board(): { device: DebugPort; lines: string[] } {
  const lines: string[] = [];
  const device = new DebugPort(smallArena(), 0x402, {
    line: (text) => {
      lines.push(text);
    },
  });
  device.reset();
  return { device, lines };
}

describe("DebugPort", () => {
  it("says that it is there", () => {
    runSteps(driveRanges(board().device.ports), [["in", 0x402, 1, 0xe9]]);
  });

  it("hands over whole lines", () => {
    const { device, lines } = board();
    for (const character of "SeaBIOS\nx") device.write(0, 1, character.charCodeAt(0));
    assert.deepEqual(lines, ["SeaBIOS"]);
  });

  it("keeps an unfinished line over save and restore", () => {
    const { device } = board();
    device.write(0, 1, 0x41);
    const other = board();
    other.device.restore(structuredClone(device.save()));
    other.device.write(0, 1, 0x0a);
    assert.deepEqual(other.lines, ["A"]);
  });

  it("takes any guest input (P7)", () => {
    assertDeviceTakesAnything(board().device.ports);
  });
});
