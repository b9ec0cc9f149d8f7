/**
 * The machine map: which part answers at which fixed I/O port. The first file to open.
 *
 * Devices declare their ranges themselves; the board checks that they are where this table says. PCI functions add ports
 * of their own by BARs (the Xen platform device, the power management block at 0xb000). A Xen guest has Xen's debug port
 * at 0xe9, unless somebody puts another device there. Memory is in shared/layout.ts.
 */
import { port } from "../shared/brand.js";
import type { Port } from "../shared/brand.js";

export interface LegacyPort {
  readonly base: Port;
  readonly length: number;
  /** The device's name, or "stub". */
  readonly owner: string;
  readonly note: string;
}

export const LEGACY_PORTS = [
  { base: port(0x0010), length: 16, owner: "xen-platform", note: "unplug protocol and log of a Xen HVM guest" },
  { base: port(0x0020), length: 2, owner: "i8259", note: "primary interrupt controller" },
  { base: port(0x0040), length: 4, owner: "i8254", note: "timer" },
  { base: port(0x0060), length: 1, owner: "i8042", note: "keyboard controller, data" },
  { base: port(0x0061), length: 1, owner: "i8254", note: "speaker gate; the timer's channel 2 is read back here" },
  { base: port(0x0064), length: 1, owner: "i8042", note: "keyboard controller, commands: 0xfe resets" },
  { base: port(0x0070), length: 2, owner: "cmos-rtc", note: "clock and CMOS memory" },
  { base: port(0x0080), length: 1, owner: "stub", note: "POST code; Linux writes here for a delay" },
  { base: port(0x0092), length: 1, owner: "port92", note: "fast A20 and reset" },
  { base: port(0x00a0), length: 2, owner: "i8259", note: "secondary interrupt controller" },
  { base: port(0x00b2), length: 2, owner: "acpi-pm", note: "SMI command: turns ACPI on" },
  { base: port(0x00ed), length: 1, owner: "stub", note: "delay port of Linux with io_delay=0xed" },
  { base: port(0x02e8), length: 8, owner: "com4", note: "fourth serial port" },
  { base: port(0x02f8), length: 8, owner: "com2", note: "second serial port" },
  { base: port(0x03e8), length: 8, owner: "com3", note: "third serial port" },
  { base: port(0x03f8), length: 8, owner: "com1", note: "first serial port" },
  { base: port(0x04d0), length: 2, owner: "i8259", note: "edge or level of each ISA interrupt" },
  { base: port(0x0510), length: 2, owner: "fw-cfg", note: "firmware configuration" },
  { base: port(0x0514), length: 8, owner: "fw-cfg", note: "firmware configuration by DMA: address of the request" },
  { base: port(0x0cf8), length: 1, owner: "pci-host-bridge", note: "PCI configuration address" },
  { base: port(0x0cf9), length: 1, owner: "reset-control", note: "reset of the board" },
  { base: port(0x0cfc), length: 4, owner: "pci-host-bridge", note: "PCI configuration data" },
  { base: port(0xafe0), length: 4, owner: "acpi-pm", note: "general purpose events" },
] as const satisfies readonly LegacyPort[];

export const STUB_PORTS: readonly LegacyPort[] = LEGACY_PORTS.filter(({ owner }) => owner === "stub");

export interface SerialPort {
  readonly name: string;
  readonly base: Port;
  readonly irq: number;
}

/** COM1 to COM4 with the interrupts that PCs give them. */
export const SERIAL_PORTS: readonly SerialPort[] = [
  { name: "com1", base: port(0x3f8), irq: 4 },
  { name: "com2", base: port(0x2f8), irq: 3 },
  { name: "com3", base: port(0x3e8), irq: 4 },
  { name: "com4", base: port(0x2e8), irq: 3 },
];
