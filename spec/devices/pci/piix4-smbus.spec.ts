/** [PIIX4] Intel 82371AB, 290562-001, 7.3 */
import { port } from "../../../shared/brand.js";
import { Piix4Smbus } from "../../../devices/pci/piix4-smbus.js";
import { assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "../port-driver.js";
import type { PortRange } from "../../../shared/io.js";

function smbus(): { device: Piix4Smbus; ports: readonly PortRange[] } {
  const device = new Piix4Smbus(smallArena());
  device.reset();
  return { device, ports: [{ base: port(0xb100), length: 16, handler: device.io }] };
}

describe("Piix4Smbus", () => {
  it("ends every transaction at once with DEV_ERR, which a one clears", () => {
    runSteps(driveRanges(smbus().ports), [
      ["in", 0xb100, 1, 0x00],
      // A byte read from slave 0x50
      ["out", 0xb104, 1, 0xa1],
      ["out", 0xb102, 1, 0x48],
      ["in", 0xb102, 1, 0x08],
      ["in", 0xb100, 1, 0x04],
      ["out", 0xb100, 1, 0x02],
      ["in", 0xb100, 1, 0x04],
      ["out", 0xb100, 1, 0xff],
      ["in", 0xb100, 1, 0x00],
    ]);
  });

  it("starts nothing without START", () => {
    runSteps(driveRanges(smbus().ports), [
      ["out", 0xb102, 1, 0x1f],
      ["in", 0xb102, 1, 0x1f],
      ["in", 0xb100, 1, 0x00],
    ]);
  });

  it("keeps command, address and data, and nothing behind them", () => {
    runSteps(driveRanges(smbus().ports), [
      ["out", 0xb103, 4, 0x4433_2211],
      ["in", 0xb103, 4, 0x4433_2211],
      ["out", 0xb107, 4, 0xffff_ffff],
      ["in", 0xb107, 4, 0],
    ]);
  });

  it("goes on where it was after save and restore", () => {
    const { device, ports } = smbus();
    runSteps(driveRanges(ports), [["out", 0xb102, 1, 0x40]]);
    const other = smbus();
    other.device.restore(structuredClone(device.save()));
    runSteps(driveRanges(other.ports), [["in", 0xb100, 1, 0x04]]);
  });

  it("takes any guest input (P7, P9)", () => {
    assertDeviceTakesAnything(smbus().ports);
  });
});
