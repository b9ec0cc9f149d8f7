/**
 * The ACPI tables of the machine, first without addresses (fw_cfg hands them to firmware that way), then linked for a
 * direct boot.
 *
 * [ACPI] ACPI 6.5, 5.2 "ACPI System Description Tables"
 * [PIIX4] Intel 82371AB data sheet, 29056201: 7 (power management registers)
 * [WAET] Windows ACPI Emulated Devices Table, 1.0
 */
import { IOAPIC_BASE, LAPIC_BASE } from "../../../shared/layout.js";
import type { Gpa } from "../../../shared/brand.js";
import { buildDsdt } from "./dsdt.js";
import type { AcpiConfig } from "./dsdt.js";
import { little } from "./aml.js";

/** An address that one table holds of another. */
export interface AcpiPointer {
  /** Where in the table, in bytes. */
  readonly offset: number;
  /** 4 or 8 bytes. */
  readonly size: number;
  readonly target: string;
}

/** A byte that makes `[0, length)` of a table add up to 0. */
export interface AcpiChecksum {
  readonly offset: number;
  readonly length: number;
}

export interface AcpiTable {
  /** Its signature; the root pointer is "RSDP". */
  readonly name: string;
  /** With zeros where pointers and checksums go. */
  readonly bytes: Uint8Array;
  /** In bytes. */
  readonly alignment: number;
  readonly pointers: readonly AcpiPointer[];
  readonly checksums: readonly AcpiChecksum[];
}

interface IoBlock {
  readonly port: number;
  /** In bytes. */
  readonly length: number;
}

export interface LinkedAcpi {
  /** Everything, to be put at the address it was linked for. */
  readonly bytes: Uint8Array;
  readonly rsdp: Gpa;
}

/** [ACPI] table 5.4: signature, length, revision, checksum, OEM and creator. */
const HEADER_SIZE = 36;
const HEADER_CHECKSUM = 9;
const OEM_ID = "XENOLT";
const OEM_TABLE_ID = "XENOLITH";
const CREATOR_ID = "XENO";
/** The RSDP and, by habit, all others; the FACS wants 64. */
const TABLE_ALIGNMENT = 16;
const FACS_ALIGNMENT = 64;

/** Fixed hardware, which the PM device answers: [PIIX4] 7.2 behind PMBA, and the board's choices. */
const SCI_IRQ = 9;
const APM_CONTROL_PORT = 0xb2;
const APM_ACPI_ENABLE = 0xf1;
const APM_ACPI_DISABLE = 0xf0;
/** Offsets from PMBA. */
const PM1A_EVENT = { offset: 0, length: 4 } as const;
const PM1A_CONTROL = { offset: 4, length: 2 } as const;
const PM_TIMER = { offset: 8, length: 4 } as const;
const GPE0 = { port: 0xafe0, length: 4 } as const;
const RESET_PORT = 0xcf9;
/** Full reset: CPU, PCI, and power cycle. */
const RESET_VALUE = 0x0f;
/** Where the RTC's RAM has the century. */
const RTC_CENTURY = 0x32;
/** [ACPI] 5.2.9: more than 100 and 1000 microseconds mean that there is no C2 and no C3. */
const NO_C2 = 0xfff;
const NO_C3 = 0xfff;

/** [ACPI] table 5.10, fixed feature flags: WBINVD works, C1 on all CPUs, no sleep button, reset register. */
const FADT_FLAGS = (1 << 0) | (1 << 2) | (1 << 5) | (1 << 10);
/** [ACPI] table 5.11, IA-PC boot flags. */
const BootArch = { legacyDevices: 1 << 0, keyboardController: 1 << 1, noVga: 1 << 2 } as const;
/** [ACPI] table 5.1: address space of a generic address. */
const SYSTEM_IO = 1;
const BYTE_ACCESS = 1;

/** [ACPI] 5.2.12: flags and structures of the MADT. */
const PCAT_COMPAT = 1;
const LAPIC_ENABLED = 1;
const ALL_PROCESSORS = 0xff;
/** Larger APIC ids need the x2APIC structures. */
const MAX_XAPIC_ID = 0xfe;
/** [ACPI] table 5.25, MPS INTI flags: active high, level-triggered. */
const LEVEL_HIGH = 0x0d;
/** Interrupts that PCI or the SCI use, level-triggered through the IOAPIC as through the 8259. */
const LEVEL_IRQS = [5, 9, 10, 11] as const;

/** [WAET]: one read of the PM timer is enough. */
const WAET_PM_TIMER_GOOD = 1 << 1;

/** All tables, the root pointer first. */
export function buildAcpi(config: AcpiConfig): readonly AcpiTable[] {
  const tables = [
    facs(),
    table("DSDT", 2, buildDsdt(config)),
    fadt(config),
    table("APIC", 3, madtBody(config)),
    table("WAET", 1, little(WAET_PM_TIMER_GOOD, 4)),
  ];
  const listed = ["FACP", "APIC", "WAET"];
  return [rsdp(), rootTable("RSDT", 4, listed), rootTable("XSDT", 8, listed), ...tables];
}

export interface TableLayout {
  /** The tables one after another, not yet linked. */
  readonly bytes: Uint8Array;
  /** Where each is, by name. */
  readonly places: ReadonlyMap<string, number>;
}

/** Puts tables one after another, each aligned as it wants from an address that is aligned for all. */
export function layOut(tables: readonly AcpiTable[]): TableLayout {
  const places = new Map<string, number>();
  let end = 0;
  for (const { name, bytes, alignment } of tables) {
    const at = Math.ceil(end / alignment) * alignment;
    places.set(name, at);
    end = at + bytes.length;
  }
  const all = new Uint8Array(end);
  for (const { name, bytes } of tables) all.set(bytes, place(places, name));
  return { bytes: all, places };
}

/** Lays the tables out from `base` on, a page's start, fills in the pointers between them and the checksums. */
export function linkAcpi(tables: readonly AcpiTable[], base: Gpa): LinkedAcpi {
  const { bytes: linked, places } = layOut(tables);
  for (const { name, pointers, checksums } of tables) {
    const at = place(places, name);
    for (const { offset, size, target } of pointers) {
      linked.set(little(base + place(places, target), size), at + offset);
    }
    // After the pointers; a longer range covers the shorter one's checksum, so order is by length.
    for (const { offset, length } of checksums) {
      const sum = linked.subarray(at, at + length).reduce((total, byte) => total + byte, 0);
      linked[at + offset] = -sum & 0xff;
    }
  }
  return { bytes: linked, rsdp: (base + place(places, "RSDP")) as Gpa };
}

function place(places: ReadonlyMap<string, number>, name: string): number {
  const at = places.get(name);
  if (at === undefined) throw new Error(`No ACPI table ${name}`);
  return at;
}

/** [ACPI] 5.2.5.3, revision 2: with an RSDT for old guests and an XSDT. */
function rsdp(): AcpiTable {
  const bytes = new Uint8Array(36);
  putText(bytes, 0, "RSD PTR ");
  putText(bytes, 9, OEM_ID);
  bytes[15] = 2;
  bytes[20] = bytes.length;
  return {
    name: "RSDP",
    bytes,
    alignment: TABLE_ALIGNMENT,
    pointers: [
      { offset: 16, size: 4, target: "RSDT" },
      { offset: 24, size: 8, target: "XSDT" },
    ],
    checksums: [
      { offset: 8, length: 20 },
      { offset: 32, length: 36 },
    ],
  };
}

/** The RSDT or XSDT: pointers of `size` bytes to `targets`. */
function rootTable(signature: string, size: number, targets: readonly string[]): AcpiTable {
  const pointers = targets.map((target, i) => ({ offset: HEADER_SIZE + i * size, size, target }));
  return { ...table(signature, 1, new Array<number>(size * targets.length).fill(0)), pointers };
}

/** [ACPI] 5.2.10. It has no checksum; the guest's global lock and wake vector live in it. */
function facs(): AcpiTable {
  const bytes = new Uint8Array(64);
  putText(bytes, 0, "FACS");
  bytes[4] = bytes.length;
  bytes[32] = 1; // Version.
  return { name: "FACS", bytes, alignment: FACS_ALIGNMENT, pointers: [], checksums: [] };
}

/** [ACPI] 5.2.9, as of revision 3 (ACPI 2.0): 244 bytes. Offsets are those of table 5.9. */
function fadt(config: AcpiConfig): AcpiTable {
  const bytes = new Uint8Array(244);
  const view = new DataView(bytes.buffer);
  const [event, control, timer] = [PM1A_EVENT, PM1A_CONTROL, PM_TIMER].map(({ offset, length }) => ({
    port: config.pmBase + offset,
    length,
  })) as [IoBlock, IoBlock, IoBlock];
  putHeader(bytes, "FACP", 3);
  view.setUint16(46, SCI_IRQ, true);
  view.setUint32(48, APM_CONTROL_PORT, true);
  view.setUint8(52, APM_ACPI_ENABLE);
  view.setUint8(53, APM_ACPI_DISABLE);
  view.setUint32(56, event.port, true);
  view.setUint32(64, control.port, true);
  view.setUint32(76, timer.port, true);
  view.setUint32(80, GPE0.port, true);
  view.setUint8(88, PM1A_EVENT.length);
  view.setUint8(89, PM1A_CONTROL.length);
  view.setUint8(91, PM_TIMER.length);
  view.setUint8(92, GPE0.length);
  view.setUint16(96, NO_C2, true);
  view.setUint16(98, NO_C3, true);
  view.setUint8(108, RTC_CENTURY);
  const arch =
    BootArch.legacyDevices | (config.keyboard ? BootArch.keyboardController : 0) | (config.vga ? 0 : BootArch.noVga);
  view.setUint16(109, arch, true);
  view.setUint32(112, FADT_FLAGS, true);
  bytes.set(ioAddress({ port: RESET_PORT, length: 1 }, BYTE_ACCESS), 116);
  view.setUint8(128, RESET_VALUE);
  // X_FIRMWARE_CTRL stays 0: the FACS has its address in the 32-bit field, and only one of the two may be used.
  bytes.set(ioAddress(event), 148);
  bytes.set(ioAddress(control), 172);
  bytes.set(ioAddress(timer), 208);
  bytes.set(ioAddress(GPE0), 220);
  return {
    name: "FACP",
    bytes,
    alignment: TABLE_ALIGNMENT,
    pointers: [
      { offset: 36, size: 4, target: "FACS" },
      { offset: 40, size: 4, target: "DSDT" },
      { offset: 140, size: 8, target: "DSDT" },
    ],
    checksums: [{ offset: HEADER_CHECKSUM, length: bytes.length }],
  };
}

/** [ACPI] 5.2.3.2, a generic address; access size 0 leaves the width of accesses to the register's kind. */
function ioAddress({ port, length }: IoBlock, access = 0): readonly number[] {
  return [SYSTEM_IO, length * 8, 0, access, ...little(port, 8)];
}

/** [ACPI] 5.2.12. The IOAPIC has id 0 and takes global interrupts from 0 on. */
function madtBody(config: AcpiConfig): readonly number[] {
  const hasX2 = config.apicIds.some((id) => id > MAX_XAPIC_ID);
  return [
    ...little(LAPIC_BASE, 4),
    ...little(PCAT_COMPAT, 4),
    ...config.apicIds.flatMap((id, index) => localApic(id, index)),
    ...[1, 12, 0, 0, ...little(IOAPIC_BASE, 4), ...little(0, 4)],
    // The timer is on pin 2 of the IOAPIC, where the 8259's cascade would be.
    ...override(0, 2, 0),
    ...LEVEL_IRQS.flatMap((irq) => override(irq, irq, LEVEL_HIGH)),
    // NMI on LINT1 of every processor, in both forms when there are x2APIC ids.
    ...[4, 6, ALL_PROCESSORS, 0, 0, 1],
    ...(hasX2 ? [10, 12, 0, 0, ...little(0xffff_ffff, 4), 1, 0, 0, 0] : []),
  ];
}

/** [ACPI] 5.2.12.2 and 5.2.12.12. */
function localApic(id: number, index: number): readonly number[] {
  if (id <= MAX_XAPIC_ID) return [0, 8, index, id, ...little(LAPIC_ENABLED, 4)];
  return [9, 16, 0, 0, ...little(id, 4), ...little(LAPIC_ENABLED, 4), ...little(index, 4)];
}

/** [ACPI] 5.2.12.5: bus 0 is ISA. */
function override(irq: number, gsi: number, flags: number): readonly number[] {
  return [2, 10, 0, irq, ...little(gsi, 4), ...little(flags, 2)];
}

function table(signature: string, revision: number, body: readonly number[]): AcpiTable {
  const bytes = new Uint8Array(HEADER_SIZE + body.length);
  bytes.set(body, HEADER_SIZE);
  putHeader(bytes, signature, revision);
  return {
    name: signature,
    bytes,
    alignment: TABLE_ALIGNMENT,
    pointers: [],
    checksums: [{ offset: HEADER_CHECKSUM, length: bytes.length }],
  };
}

function putHeader(bytes: Uint8Array, signature: string, revision: number): void {
  putText(bytes, 0, signature);
  bytes.set(little(bytes.length, 4), 4);
  bytes[8] = revision;
  putText(bytes, 10, OEM_ID);
  putText(bytes, 16, OEM_TABLE_ID);
  bytes.set(little(1, 4), 24);
  putText(bytes, 28, CREATOR_ID);
  bytes.set(little(1, 4), 32);
}

function putText(bytes: Uint8Array, offset: number, value: string): void {
  bytes.set(
    Array.from(value, (char) => char.charCodeAt(0)),
    offset,
  );
}
