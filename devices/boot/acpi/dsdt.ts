/**
 * The DSDT: what hardware there is that cannot be found by asking. All of it is static but the links of PCI interrupts,
 * which say where the board routes them now, whoever set that up.
 *
 * [ACPI] ACPI 6.5: 6.1 (identification), 6.2 (configuration: _CRS, _DIS, _PRS, _PRT, _SRS), 7.4.2 (_Sx)
 * [PIIX3] Intel 82371SB data sheet, 29055002
 */
import { PCI_WINDOW_END } from "../../../shared/layout.js";
import {
  and,
  answer,
  arg0,
  configBytes,
  device,
  dwordField,
  eisaId,
  integer,
  method,
  name,
  or,
  pack,
  ref,
  scope,
  store,
  text,
  when,
} from "./aml.js";
import type { Aml } from "./aml.js";
import { busWindow, ioPorts, ioWindow, isaIrq, memoryWindow, PCI_IRQ_OFFSET, pciIrqs, resources } from "./resources.js";

/** What of the machine the tables describe. */
export interface AcpiConfig {
  /** APIC id of each vCPU. The position is the vCPU's number, which Xen guests take from the ACPI processor id. */
  readonly apicIds: readonly number[];
  /** Which of COM1 (0) to COM4 (3) exist. */
  readonly serialPorts: readonly number[];
  readonly keyboard: boolean;
  /** A PS/2 mouse on the keyboard controller's second port. */
  readonly mouse: boolean;
  readonly vga: boolean;
  /** I/O port of the PIIX4's power management block. */
  readonly pmBase: number;
  /** First address of the PCI memory window below 4 GiB. */
  readonly pciWindowStart: number;
}

/** Links of the four PIRQ lines, the fields of PIRQRC that they stand for, and where a line can go. */
const LINKS = ["LNKA", "LNKB", "LNKC", "LNKD"] as const;
const ROUTES = ["PRQ0", "PRQ1", "PRQ2", "PRQ3"] as const;
const LINK_IRQS = [5, 10, 11] as const;
/** [PIIX3] 2.2.9: PIRQRC, its bit for "routed nowhere", and the interrupt. */
const PIRQRC = 0x60;
const ROUTING_DISABLED = 0x80;
const ROUTED_IRQ = 0x0f;
/** [ACPI] 6.3.7 _STA: present, shown and working; with or without being enabled. */
const STATUS_DISABLED = 0x09;
const STATUS_ENABLED = 0x0b;
const PCI_SLOTS = 32;
const PCI_PINS = 4;
/** The PIIX, whose power management function (01.3) has its INTA tied to the SCI. */
const PIIX_SLOT = 1;
const SCI_IRQ = 9;

/** [ACPI] 6.1.1 _ADR: any function of a slot. */
const ANY_FUNCTION = 0xffff;
/** The PIIX3's ISA bridge, 01.0. */
const ISA_ADDRESS = 0x0001_0000;

const SERIAL_PORTS = [
  { base: 0x3f8, irq: 4 },
  { base: 0x2f8, irq: 3 },
  { base: 0x3e8, irq: 4 },
  { base: 0x2e8, irq: 3 },
] as const;

/** The DSDT's terms, without the table header. */
export function buildDsdt(config: AcpiConfig): Aml {
  return [
    // SLP_TYPa and SLP_TYPb; the PM1 control register takes type 0 as soft off. S3 and S4 are not modelled.
    ...name("_S5", pack(integer(0), integer(0), integer(0), integer(0))),
    ...scope(
      "\\_SB",
      ...config.apicIds.map((_, index) => processor(index)),
      ...LINKS.map((_, index) => interruptLink(index)),
      pciHost(config),
    ),
  ];
}

function processor(index: number): Aml {
  const segment = `C${index.toString(16).toUpperCase().padStart(3, "0")}`;
  return device(segment, name("_HID", text("ACPI0007")), name("_UID", integer(index)));
}

function pciHost(config: AcpiConfig): Aml {
  const windows = resources(
    busWindow(0, 0xff),
    ioPorts(0xcf8, 8),
    ioWindow(0, 0xcf7),
    ioWindow(0xd00, 0xffff),
    memoryWindow(0xa_0000, 0xb_ffff, true),
    memoryWindow(config.pciWindowStart, PCI_WINDOW_END - 1, false),
  );
  return device(
    "PCI0",
    name("_HID", eisaId("PNP0A03")),
    name("_ADR", integer(0)),
    name("_UID", integer(0)),
    name("_CRS", windows),
    name("_PRT", interruptRoutes()),
    isaBridge(config),
  );
}

/**
 * One row per slot and pin, to a link. [PIIX3] leaves the wiring to the board; ours shifts each slot's pins by one, so
 * that INTA of neighbouring slots is spread over the four PIRQ lines.
 */
function interruptRoutes(): Aml {
  const rows: Aml[] = [];
  for (let slot = 0; slot < PCI_SLOTS; slot++) {
    for (let pin = 0; pin < PCI_PINS; pin++) {
      const where = [integer(slot * 0x1_0000 + ANY_FUNCTION), integer(pin)];
      const link = LINKS[(slot + pin + 3) % PCI_PINS] ?? "LNKA";
      // [ACPI] table 6.14: address, pin, source (0: a global interrupt), source index.
      const isSci = slot === PIIX_SLOT && pin === 0;
      rows.push(isSci ? pack(...where, integer(0), integer(SCI_IRQ)) : pack(...where, ref(link), integer(0)));
    }
  }
  return pack(...rows);
}

/** A PCI interrupt link: which ISA interrupt its PIRQ line goes to is in PIRQRC, and can be changed there. */
function interruptLink(index: number): Aml {
  const route = ref(`\\_SB.PCI0.ISA.${ROUTES[index] ?? ROUTES[0]}`);
  const disabled = and(route, integer(ROUTING_DISABLED));
  return device(
    LINKS[index] ?? LINKS[0],
    name("_HID", eisaId("PNP0C0F")),
    name("_UID", integer(index)),
    name("_PRS", resources(pciIrqs(...LINK_IRQS))),
    method("_STA", 0, when(disabled, answer(integer(STATUS_DISABLED))), answer(integer(STATUS_ENABLED))),
    method("_DIS", 0, store(or(route, integer(ROUTING_DISABLED)), route)),
    method(
      "_CRS",
      0,
      name("BUF0", resources(pciIrqs(0))),
      dwordField(ref("BUF0"), PCI_IRQ_OFFSET, "IRQ0"),
      store(and(route, integer(ROUTED_IRQ)), ref("IRQ0")),
      answer(ref("BUF0")),
    ),
    method("_SRS", 1, dwordField(arg0, PCI_IRQ_OFFSET, "IRQ1"), store(ref("IRQ1"), route)),
  );
}

function isaBridge(config: AcpiConfig): Aml {
  return device(
    "ISA",
    name("_ADR", integer(ISA_ADDRESS)),
    configBytes("PIRQ", PIRQRC, ROUTES),
    isaDevice("PIC", "PNP0000", ioPorts(0x20, 2), ioPorts(0xa0, 2), isaIrq(2)),
    isaDevice("TMR", "PNP0100", ioPorts(0x40, 4), isaIrq(0)),
    isaDevice("RTC", "PNP0B00", ioPorts(0x70, 2), isaIrq(8)),
    ...(config.keyboard ? [isaDevice("KBD", "PNP0303", ioPorts(0x60, 1), ioPorts(0x64, 1), isaIrq(1))] : []),
    ...(config.mouse ? [isaDevice("MOU", "PNP0F13", isaIrq(12))] : []),
    ...SERIAL_PORTS.flatMap(({ base, irq }, index) =>
      config.serialPorts.includes(index) ? [serial(index, base, irq)] : [],
    ),
    // Ports of the chipset, so that nothing else is put there: APM, GPE0, power management.
    isaDevice("MISC", "PNP0C02", ioPorts(0xb2, 2), ioPorts(0xafe0, 4), ioPorts(config.pmBase, 0x40)),
  );
}

function isaDevice(segment: string, id: string, ...descriptors: readonly Aml[]): Aml {
  return device(segment, name("_HID", eisaId(id)), name("_CRS", resources(...descriptors)));
}

function serial(index: number, base: number, irq: number): Aml {
  return device(
    `COM${index + 1}`,
    name("_HID", eisaId("PNP0501")),
    name("_UID", integer(index + 1)),
    name("_CRS", resources(ioPorts(base, 8), isaIrq(irq))),
  );
}
