import assert from "node:assert/strict";
import { buildAcpi, linkAcpi } from "../../../../devices/boot/acpi/tables.js";
import type { AcpiConfig } from "../../../../devices/boot/acpi/dsdt.js";
import { gpa } from "../../../../shared/brand.js";

const CONFIG: AcpiConfig = {
  apicIds: [0, 1],
  serialPorts: [0],
  keyboard: true,
  mouse: false,
  vga: false,
  pmBase: 0xb000,
  pciWindowStart: 0xe000_0000,
};
const BASE = 0xe_0000;

class Tables {
  readonly view: DataView;
  readonly rsdp: number;

  constructor(config: AcpiConfig = CONFIG) {
    const { bytes, rsdp } = linkAcpi(buildAcpi(config), gpa(BASE));
    this.view = new DataView(bytes.buffer);
    this.rsdp = rsdp;
  }

  u32(at: number): number {
    return this.view.getUint32(at - BASE, true);
  }

  bytes(at: number, length: number): number[] {
    return [...new Uint8Array(this.view.buffer, at - BASE, length)];
  }

  text(at: number, length: number): string {
    return String.fromCharCode(...this.bytes(at, length));
  }

  sum(at: number, length: number): number {
    return this.bytes(at, length).reduce((total, byte) => (total + byte) & 0xff, 0);
  }

  /** Addresses that the XSDT lists. */
  get listed(): number[] {
    const xsdt = this.u32(this.rsdp + 24);
    return Array.from({ length: (this.u32(xsdt + 4) - 36) / 8 }, (_, i) => this.u32(xsdt + 36 + i * 8));
  }

  find(signature: string): number {
    return this.listed.find((at) => this.text(at, 4) === signature) ?? 0;
  }
}

describe("ACPI tables", () => {
  it("have a root pointer of revision 2, with both checksums, ACPI 6.5 table 5.3", () => {
    const tables = new Tables();
    assert.equal(tables.rsdp % 16, 0);
    assert.equal(tables.text(tables.rsdp, 8), "RSD PTR ");
    assert.equal(tables.bytes(tables.rsdp + 15, 1)[0], 2);
    assert.equal(tables.sum(tables.rsdp, 20), 0);
    assert.equal(tables.sum(tables.rsdp, 36), 0);
  });

  it("list the same tables in RSDT and XSDT, each with a good checksum", () => {
    const tables = new Tables();
    const rsdt = tables.u32(tables.rsdp + 16);
    assert.equal(tables.text(rsdt, 4), "RSDT");
    assert.deepEqual(
      [0, 4, 8].map((i) => tables.u32(rsdt + 36 + i)),
      tables.listed,
    );
    assert.deepEqual(
      tables.listed.map((at) => tables.text(at, 4)),
      ["FACP", "APIC", "WAET"],
    );
    assert.deepEqual(
      [rsdt, ...tables.listed].map((at) => tables.sum(at, tables.u32(at + 4))),
      [0, 0, 0, 0],
    );
  });

  it("have a DSDT and an aligned FACS behind the FADT", () => {
    const tables = new Tables();
    const fadt = tables.find("FACP");
    const dsdt = tables.u32(fadt + 40);
    assert.equal(tables.text(dsdt, 4), "DSDT");
    assert.equal(tables.u32(fadt + 140), dsdt);
    assert.equal(tables.sum(dsdt, tables.u32(dsdt + 4)), 0);
    const facs = tables.u32(fadt + 36);
    assert.deepEqual([tables.text(facs, 4), tables.u32(facs + 4), facs % 64], ["FACS", 64, 0]);
  });

  it("stay position independent until linked", () => {
    const pointers = buildAcpi(CONFIG).flatMap(({ bytes, pointers: all }) =>
      all.flatMap(({ offset, size }) => [...bytes.subarray(offset, offset + size)]),
    );
    assert.deepEqual(new Set(pointers), new Set([0]));
  });
});

describe("FADT, ACPI 6.5 table 5.9", () => {
  const fields: readonly [string, number, readonly number[]][] = [
    ["length and revision", 4, [244, 0, 0, 0, 3]],
    ["SCI_INT", 46, [9, 0]],
    ["SMI_CMD, ACPI_ENABLE, ACPI_DISABLE", 48, [0xb2, 0, 0, 0, 0xf1, 0xf0]],
    ["PM1a_EVT_BLK", 56, [0x00, 0xb0, 0, 0]],
    ["PM1a_CNT_BLK", 64, [0x04, 0xb0, 0, 0]],
    ["PM_TMR_BLK", 76, [0x08, 0xb0, 0, 0]],
    ["GPE0_BLK", 80, [0xe0, 0xaf, 0, 0]],
    ["the blocks' lengths", 88, [4, 2, 0, 4, 4, 0]],
    ["P_LVL2_LAT and P_LVL3_LAT", 96, [0xff, 0x0f, 0xff, 0x0f]],
    ["IAPC_BOOT_ARCH: legacy devices, 8042, no VGA", 109, [0x07, 0x00]],
    ["Flags: WBINVD, PROC_C1, SLP_BUTTON, RESET_REG_SUP; a 24-bit timer", 112, [0x25, 0x04, 0, 0]],
    ["RESET_REG and RESET_VALUE", 116, [1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 0x0f]],
    ["X_FIRMWARE_CTRL", 132, [0, 0, 0, 0, 0, 0, 0, 0]],
    ["X_PM1a_EVT_BLK", 148, [1, 32, 0, 0, 0x00, 0xb0, 0, 0, 0, 0, 0, 0]],
    ["X_PM1a_CNT_BLK", 172, [1, 16, 0, 0, 0x04, 0xb0, 0, 0, 0, 0, 0, 0]],
    ["X_PM_TMR_BLK", 208, [1, 32, 0, 0, 0x08, 0xb0, 0, 0, 0, 0, 0, 0]],
    ["X_GPE0_BLK", 220, [1, 32, 0, 0, 0xe0, 0xaf, 0, 0, 0, 0, 0, 0]],
  ];
  for (const [what, offset, bytes] of fields) {
    it(`has ${what}`, () => {
      const tables = new Tables();
      assert.deepEqual(tables.bytes(tables.find("FACP") + offset, bytes.length), bytes);
    });
  }

  it("tells of keyboard controller and VGA what is there", () => {
    const tables = new Tables({ ...CONFIG, keyboard: false, vga: true });
    assert.equal(tables.bytes(tables.find("FACP") + 109, 1)[0], 0x01);
  });
});

describe("MADT, ACPI 6.5, 5.2.12", () => {
  function body(apicIds: readonly number[]): number[] {
    const tables = new Tables({ ...CONFIG, apicIds });
    const madt = tables.find("APIC");
    return tables.bytes(madt + 36, tables.u32(madt + 4) - 36);
  }

  it("lists local APICs by vCPU number and APIC id, the IOAPIC, the overrides and the NMI", () => {
    assert.deepEqual(body([0, 2]), [
      ...[0, 0, 0xe0, 0xfe, 1, 0, 0, 0],
      ...[0, 8, 0, 0, 1, 0, 0, 0],
      ...[0, 8, 1, 2, 1, 0, 0, 0],
      ...[1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
      ...[2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
      ...[2, 10, 0, 5, 5, 0, 0, 0, 0x0d, 0],
      ...[2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0],
      ...[2, 10, 0, 10, 10, 0, 0, 0, 0x0d, 0],
      ...[2, 10, 0, 11, 11, 0, 0, 0, 0x0d, 0],
      ...[4, 6, 0xff, 0, 0, 1],
    ]);
  });

  it("uses x2APIC structures for ids from 255 on", () => {
    const entries = body([0, 0x100]);
    assert.deepEqual(entries.slice(16, 32), [9, 16, 0, 0, 0x00, 0x01, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    assert.deepEqual(entries.slice(-12), [10, 12, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
  });
});

describe("WAET", () => {
  it("says that one read of the PM timer is enough, and nothing of the RTC", () => {
    const tables = new Tables();
    assert.equal(tables.u32(tables.find("WAET") + 36), 2);
  });
});
