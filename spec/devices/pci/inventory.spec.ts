/** [PCI] PCI Local Bus Specification 2.1, 6.1 "Configuration space organization" */
import assert from "node:assert/strict";
import { PciHostBridge } from "../../../devices/pci/host-bridge.js";
import { I440Fx } from "../../../devices/pci/i440fx.js";
import { pciInventory } from "../../../devices/pci/inventory.js";
import { XenPlatform } from "../../../devices/xen-platform.js";
import { smallArena } from "../port-driver.js";

describe("pciInventory()", () => {
  const arena = smallArena();
  const platform = new XenPlatform(arena, { unplug: () => undefined, log: () => undefined });
  const bridge = new PciHostBridge(arena, [platform, new I440Fx(arena, { pamChanged: () => undefined })]);

  beforeEach(() => {
    bridge.reset();
  });

  it("has every function in the order of the bus", () => {
    assert.deepEqual(
      pciInventory(bridge).map(({ slot, function: number, vendor, device, classCode }) => [
        `${slot}.${number}`,
        vendor.toString(16),
        device.toString(16),
        classCode.toString(16),
      ]),
      [
        ["0.0", "8086", "1237", "600"],
        ["2.0", "5853", "1", "ff80"],
      ],
    );
  });

  it("has no base address before somebody has given one", () => {
    assert.deepEqual(
      pciInventory(bridge).map(({ bars }) => bars),
      [[], []],
    );
  });

  it("has base addresses, with their lengths, and the interrupt as they were written down", () => {
    bridge.writeConfig(platform, { offset: 0x10, size: 4, value: 0xc000 });
    bridge.writeConfig(platform, { offset: 0x14, size: 4, value: 0xf000_0000 });
    bridge.writeConfig(platform, { offset: 0x3c, size: 1, value: 11 });
    const [, report] = pciInventory(bridge);
    assert.deepEqual(report?.bars, [
      { index: 0, kind: "io", base: 0xc000, length: 0x100 },
      { index: 1, kind: "mmio", base: 0xf000_0000, length: 0x100_0000 },
    ]);
    assert.deepEqual([report.interruptPin, report.interruptLine], [1, 11]);
  });
});
