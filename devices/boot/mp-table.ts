/**
 * The MultiProcessor configuration table of a direct boot, for kernels that go without ACPI. Firmware makes its own.
 *
 * [MPS] Intel MultiProcessor Specification, 1.4
 */
import { IOAPIC_BASE, LAPIC_BASE } from "../../shared/layout.js";

export interface MpConfig {
  /** Of each vCPU; the first is the boot processor. */
  readonly apicIds: readonly number[];
  /** ISA interrupt that a PCI slot's pin (0 = A) goes to. */
  pciIrq(slot: number, pin: number): number;
}

/** [MPS] 4.1: the structure that kernels look for, 16 bytes; then the table. */
const POINTER_BYTES = 16;
/** [MPS] 4.2, offsets into the table's header of 44 bytes. */
const Header = { length: 4, revision: 6, checksum: 7, oem: 8, product: 16, entries: 34, lapic: 36, size: 44 } as const;
const REVISION = 4; // 1.4
/** [MPS] table 4-3 and 4.3.1: entry types and flags. */
const Entry = { processor: 0, bus: 1, ioapic: 2, ioInterrupt: 3, localInterrupt: 4 } as const;
const ENABLED = 1;
const BOOT_PROCESSOR = 2;
const LAPIC_VERSION = 0x14;
const IOAPIC_VERSION = 0x11;
const IOAPIC_ID = 0;
/** [MPS] 4.3.4: interrupt types; polarity and trigger as the bus has them, or active high and level-triggered. */
const Interrupt = { vectored: 0, nmi: 1, extInt: 3 } as const;
const LEVEL_HIGH = 0x0d;
const PCI_BUS = 0;
const ISA_BUS = 1;
const ISA_IRQS = 16;
/** The timer arrives where the cascade of the 8259 pair would. */
const TIMER = { irq: 0, pin: 2 } as const;
/** The SCI and what PCI lines go to. */
const LEVEL_IRQS = [9, 10, 11];
const PCI_SLOTS = 32;
const PCI_PINS = 4;
const ALL_LAPICS = 0xff;
/** Larger ids do not fit the table. */
const MAX_APIC_ID = 0xfe;

/** The pointer and, behind it, the table; to be put at `address`, a multiple of 16 in the BIOS's segment. */
export function buildMpTable(config: MpConfig, address: number): Uint8Array {
  const entries = [
    ...config.apicIds.filter((id) => id <= MAX_APIC_ID).map((id, index) => processor(id, index === 0)),
    bus(PCI_BUS, "PCI   "),
    bus(ISA_BUS, "ISA   "),
    [Entry.ioapic, IOAPIC_ID, IOAPIC_VERSION, ENABLED, ...little32(IOAPIC_BASE)],
    ...pciInterrupts(config),
    ...isaInterrupts(),
    [Entry.localInterrupt, Interrupt.extInt, 0, 0, ISA_BUS, 0, ALL_LAPICS, 0],
    [Entry.localInterrupt, Interrupt.nmi, 0, 0, ISA_BUS, 0, ALL_LAPICS, 1],
  ];
  const body = entries.flat();
  const bytes = new Uint8Array(POINTER_BYTES + Header.size + body.length);
  const pointer = bytes.subarray(0, POINTER_BYTES);
  const table = bytes.subarray(POINTER_BYTES);
  putText(pointer, 0, "_MP_");
  pointer.set(little32(address + POINTER_BYTES), 4);
  // Its own length in units of 16, and the specification's.
  pointer.set([POINTER_BYTES / 16, REVISION], 8);
  pointer[10] = complement(pointer);
  putText(table, 0, "PCMP");
  table.set([table.length & 0xff, table.length >> 8, REVISION], Header.length);
  putText(table, Header.oem, "XENOLITH");
  putText(table, Header.product, "PC          ");
  table.set([entries.length & 0xff, entries.length >> 8], Header.entries);
  table.set(little32(LAPIC_BASE), Header.lapic);
  table.set(body, Header.size);
  table[Header.checksum] = complement(table);
  return bytes;
}

/** [MPS] 4.3.1. Signature and features are for processors without CPUID. */
function processor(apicId: number, isBoot: boolean): readonly number[] {
  const flags = ENABLED | (isBoot ? BOOT_PROCESSOR : 0);
  return [Entry.processor, apicId, LAPIC_VERSION, flags, ...new Array<number>(16).fill(0)];
}

/** [MPS] 4.3.2 */
function bus(id: number, type: string): readonly number[] {
  return [Entry.bus, id, ...Array.from(type, (char) => char.charCodeAt(0))];
}

/** [MPS] 4.3.4 and D.3: a PCI source is a slot and a pin. */
function pciInterrupts(config: MpConfig): readonly (readonly number[])[] {
  return Array.from({ length: PCI_SLOTS * PCI_PINS }, (_, source) => {
    const irq = config.pciIrq(Math.floor(source / PCI_PINS), source % PCI_PINS);
    return [Entry.ioInterrupt, Interrupt.vectored, LEVEL_HIGH, 0, PCI_BUS, source, IOAPIC_ID, irq];
  });
}

function isaInterrupts(): readonly (readonly number[])[] {
  const irqs = Array.from({ length: ISA_IRQS }, (_, irq) => irq).filter((irq) => irq !== TIMER.pin);
  return irqs.map((irq) => {
    const pin = irq === TIMER.irq ? TIMER.pin : irq;
    const flags = LEVEL_IRQS.includes(irq) ? LEVEL_HIGH : 0;
    return [Entry.ioInterrupt, Interrupt.vectored, flags, 0, ISA_BUS, irq, IOAPIC_ID, pin];
  });
}

function little32(value: number): readonly number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function putText(bytes: Uint8Array, offset: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
}

/** What makes all of them add up to 0. */
function complement(bytes: Uint8Array): number {
  return -bytes.reduce((total, byte) => total + byte, 0) & 0xff;
}
