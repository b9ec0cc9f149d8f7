import assert from "node:assert/strict";
import { buildDsdt } from "../../../../devices/boot/acpi/dsdt.js";
import type { AcpiConfig } from "../../../../devices/boot/acpi/dsdt.js";

const CONFIG: AcpiConfig = { apicIds: [0, 2], serialPorts: [0, 1], keyboard: true, mouse: false, vga: false };

/** The DSDT as characters, so that byte sequences can be searched. */
function dsdt(changes: Partial<AcpiConfig> = {}): string {
  return latin(buildDsdt({ ...CONFIG, ...changes }));
}

function latin(bytes: readonly number[]): string {
  return String.fromCharCode(...bytes);
}

/** A _PRT row for any function of a slot, ACPI 6.5 table 6.14. */
function route(slot: number, pin: number, gsi: number): string {
  const address = slot === 0 ? [0x0b, 0xff, 0xff] : [0x0c, 0xff, 0xff, slot, 0x00];
  const body = [4, ...address, ...(pin < 2 ? [pin] : [0x0a, pin]), 0x00, 0x0a, gsi];
  return latin([0x12, body.length + 1, ...body]);
}

describe("DSDT", () => {
  it("starts with _S5: sleep type 0 in both registers", () => {
    assert.ok(dsdt().startsWith("\x08_S5_\x12\x06\x04\x00\x00\x00\x00"));
  });

  it("has a processor per vCPU, numbered as the vCPUs are", () => {
    assert.ok(dsdt().includes("[\x82\x1aC000\x08_HID\x0dACPI0007\x00\x08_UID\x00"));
    assert.ok(dsdt().includes("[\x82\x1aC001\x08_HID\x0dACPI0007\x00\x08_UID\x01"));
    assert.ok(!dsdt().includes("C002"));
  });

  it("declares the host bridge with its windows", () => {
    assert.ok(dsdt().includes("PCI0\x08_HID\x0cA\xd0\x0a\x03\x08_ADR\x00"));
    // Buses, 0xcf8, two port windows, VGA, the PCI window, the end tag: 16 + 8 + 16 + 16 + 26 + 26 + 2 bytes.
    assert.ok(dsdt().includes("_CRS\x11\x42\x07\x0a\x6e\x88"));
  });

  it("routes 32 slots of four pins", () => {
    assert.equal(dsdt().split(/\x12[\x09-\x0d]\x04[\x0b\x0c]\xff\xff/).length - 1, 128);
  });

  const routes: readonly [number, number, number][] = [
    [2, 0, 10],
    [2, 1, 11],
    [2, 2, 11],
    [2, 3, 10],
    [3, 0, 11],
    [4, 0, 11],
    [5, 0, 10],
    [0, 0, 11],
    [31, 3, 10],
  ];
  for (const [slot, pin, gsi] of routes) {
    it(`routes pin ${pin} of slot ${slot} to interrupt ${gsi}`, () => {
      assert.ok(dsdt().includes(route(slot, pin, gsi)));
    });
  }

  it("ties the power management function to the SCI", () => {
    assert.ok(dsdt().includes(route(1, 0, 9)));
    assert.ok(dsdt().includes(route(1, 1, 10)));
  });

  it("declares the serial ports that exist", () => {
    assert.ok(
      dsdt().includes(
        "COM1\x08_HID\x0cA\xd0\x05\x01\x08_UID\x01\x08_CRS\x11\x10\x0a\x0d\x47\x01\xf8\x03\xf8\x03\x01\x08\x22\x10\x00\x79\x00",
      ),
    );
    assert.ok(
      dsdt().includes(
        "COM2\x08_HID\x0cA\xd0\x05\x01\x08_UID\x0a\x02\x08_CRS\x11\x10\x0a\x0d\x47\x01\xf8\x02\xf8\x02\x01\x08\x22\x08\x00\x79\x00",
      ),
    );
    assert.ok(!dsdt().includes("COM3"));
    assert.ok(!dsdt({ serialPorts: [] }).includes("COM"));
  });

  it("declares keyboard and mouse when there are any", () => {
    assert.ok(dsdt().includes("KBD_"));
    assert.ok(!dsdt().includes("MOU_"));
    assert.ok(!dsdt({ keyboard: false }).includes("KBD_"));
    assert.ok(dsdt({ mouse: true }).includes("MOU_\x08_HID\x0cA\xd0\x0f\x13"));
  });
});
