import assert from "node:assert/strict";
import { buildDsdt } from "../../../../devices/boot/acpi/dsdt.js";
import type { AcpiConfig } from "../../../../devices/boot/acpi/dsdt.js";
import { pirqOf } from "../../../../devices/pci/piix3.js";

const CONFIG: AcpiConfig = {
  apicIds: [0, 2],
  serialPorts: [0, 1],
  keyboard: true,
  mouse: false,
  vga: false,
  pmBase: 0xb000,
  pciWindowStart: 0xe000_0000,
};

/** The DSDT as characters, so that byte sequences can be searched. */
function dsdt(changes: Partial<AcpiConfig> = {}): string {
  return latin(buildDsdt({ ...CONFIG, ...changes }));
}

function latin(bytes: readonly number[]): string {
  return String.fromCharCode(...bytes);
}

/** A _PRT row for any function of a slot, to a link or an interrupt: ACPI 6.5 table 6.14. */
function route(slot: number, pin: number, to: string | number): string {
  const address = slot === 0 ? [0x0b, 0xff, 0xff] : [0x0c, 0xff, 0xff, slot, 0x00];
  const target = typeof to === "string" ? [...Buffer.from(to), 0x00] : [0x00, 0x0a, to];
  const body = [4, ...address, ...(pin < 2 ? [pin] : [0x0a, pin]), ...target];
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
    assert.equal(dsdt().split(/\x12[\x09-\x10]\x04[\x0b\x0c]\xff\xff/).length - 1, 128);
  });

  const routes: readonly [number, number, string][] = [
    [2, 0, "LNKB"],
    [2, 1, "LNKC"],
    [2, 2, "LNKD"],
    [2, 3, "LNKA"],
    [3, 0, "LNKC"],
    [4, 0, "LNKD"],
    [5, 0, "LNKA"],
    [0, 0, "LNKD"],
    [31, 3, "LNKB"],
  ];
  for (const [slot, pin, link] of routes) {
    it(`routes pin ${pin} of slot ${slot} to ${link}, as the PIIX3 wires it`, () => {
      assert.ok(dsdt().includes(route(slot, pin, link)));
      // pirqOf() counts pins from 1.
      assert.equal("ABCD"[pirqOf(slot, pin + 1)], link[3]);
    });
  }

  it("ties the power management function to the SCI", () => {
    assert.ok(dsdt().includes(route(1, 0, 9)));
    assert.ok(dsdt().includes(route(1, 1, "LNKB")));
  });

  it("has a link for each PIRQ line, which reads and writes the PIIX3's PIRQRC", () => {
    for (const [index, letter] of ["A", "B", "C", "D"].entries()) {
      const link = dsdt().slice(dsdt().indexOf(`LNK${letter}\x08_HID`));
      assert.ok(link.startsWith(`LNK${letter}\x08_HID\x0cA\xd0\x0c\x0f\x08_UID`));
      assert.ok(link.includes(`_STA\x00\xa0\x1b{\\/\x04_SB_PCI0ISA_PRQ${index}\x0a\x80`));
      for (const name of ["_PRS", "_DIS", "_CRS", "_SRS"]) assert.ok(link.includes(name));
    }
    assert.ok(dsdt().includes("[\x80PIRQ\x02\x0a\x60\x0a\x04[\x81"));
  });

  it("says where the power management block and the PCI window are", () => {
    const ports = (base: number): string =>
      latin([0x47, 0x01, base & 0xff, base >> 8, base & 0xff, base >> 8, 1, 0x40]);
    assert.ok(dsdt({ pmBase: 0x600 }).includes(ports(0x600)));
    assert.ok(!dsdt({ pmBase: 0x600 }).includes(ports(0xb000)));
    assert.ok(dsdt({ pciWindowStart: 0x8000_0000 }).includes("\x00\x00\x00\x80\xff\xff\xbf\xfe"));
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
