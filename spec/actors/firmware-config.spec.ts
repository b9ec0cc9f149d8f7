import assert from "node:assert/strict";
import { acpiConfig, firmwareConfig } from "../../actors/firmware-config.js";
import { resolveConfig } from "../../shared/config.js";

const GIB = 2 ** 30;

describe("acpiConfig()", () => {
  it("has the vCPUs' APIC ids, the serial ports that exist, and the PCI window behind RAM", () => {
    const config = resolveConfig({
      memoryBytes: 2.5 * GIB,
      vcpus: { count: 3, cores: 3 },
      serials: [null, { kind: "null" }],
    });
    const acpi = acpiConfig(config);
    assert.deepEqual([acpi?.apicIds, acpi?.serialPorts, acpi?.pciWindowStart], [[0, 1, 2], [1], 3 * GIB]);
  });

  it("is nothing for a machine without ACPI", () => {
    assert.equal(acpiConfig(resolveConfig({ acpi: false })), undefined);
  });
});

describe("firmwareConfig()", () => {
  it("is nothing for a direct boot", () => {
    assert.equal(firmwareConfig(resolveConfig({ boot: { kernel: "k" } })), undefined);
  });

  it("lists what firmware can boot from: no Xen disks", () => {
    const config = resolveConfig({
      accel: { xenVersion: 0x4_000a },
      disks: [
        { path: "a", attach: { kind: "ide" }, bootIndex: 2 },
        { path: "b", attach: { kind: "virtio", slot: 5 } },
        { path: "c", attach: { kind: "xen" } },
      ],
      nets: [{ model: { kind: "virtio", slot: 7 }, backend: { kind: "none" }, bootIndex: 1 }],
    });
    assert.deepEqual(firmwareConfig(config)?.boot.candidates, [
      { device: { kind: "ide", channel: 0, unit: 0 }, bootIndex: 2 },
      { device: { kind: "virtio-blk", slot: 5 }, bootIndex: undefined },
      { device: { kind: "net", slot: 7 }, bootIndex: 1 },
    ]);
  });

  it("has the menu's time only with a menu", () => {
    const time = (menu: boolean) =>
      firmwareConfig(resolveConfig({ boot: { menu, menuTimeoutMs: 900 } }))?.boot.menuTimeoutMs;
    assert.deepEqual([time(true), time(false)], [900, undefined]);
  });
});
