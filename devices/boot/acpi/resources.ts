/**
 * Resource descriptors: what a device's `_CRS` is made of.
 *
 * [ACPI] ACPI 6.5, 6.4 "Resource Data Types for ACPI"
 */
import { buffer, little } from "./aml.js";
import type { Aml } from "./aml.js";

/** [ACPI] table 6.28 and on: small descriptors, with their length in the low bits; large ones. */
const IRQ_NO_FLAGS = 0x22;
const IO_PORT = 0x47;
const END_TAG = 0x79;
const DWORD_ADDRESS = 0x87;
const WORD_ADDRESS = 0x88;
const EXTENDED_IRQ = 0x89;
/** [ACPI] table 6.58: the device consumes it; level-triggered, active high, shared. */
const PCI_IRQ_FLAGS = 0x09;

/** [ACPI] table 6.46: resource types of address space descriptors. */
const Space = { memory: 0, io: 1, bus: 2 } as const;
/** [ACPI] table 6.46, general flags: minimum and maximum are fixed, decoding is positive, the device produces. */
const WINDOW_FLAGS = 0x0c;
/** [ACPI] table 6.50: ISA and non-ISA ports. */
const ENTIRE_IO_RANGE = 0x03;
/** [ACPI] table 6.49: read-write; cacheable or not. */
const MEMORY_CACHEABLE = 0x03;
const MEMORY_UNCACHEABLE = 0x01;

/** A `_CRS` value: the descriptors and the end tag, whose checksum of 0 means "not computed". [ACPI] 6.4.2.9 */
export function resources(...descriptors: readonly Aml[]): Aml {
  return buffer([...descriptors.flat(), END_TAG, 0]);
}

/** Fixed I/O ports with 16-bit decoding. [ACPI] 6.4.2.5 */
export function ioPorts(base: number, length: number): Aml {
  return [IO_PORT, 1, ...little(base, 2), ...little(base, 2), 1, length];
}

/** An ISA interrupt: edge-triggered, active high, exclusive. [ACPI] 6.4.2.1 */
export function isaIrq(irq: number): Aml {
  return [IRQ_NO_FLAGS, ...little(1 << irq, 2)];
}

/** Where the first interrupt is in a template that starts with {@link pciIrqs}. */
export const PCI_IRQ_OFFSET = 5;

/** Interrupts that a PCI line can go to, or goes to: level-triggered, active high, shared. [ACPI] 6.4.3.6 */
export function pciIrqs(...irqs: readonly number[]): Aml {
  const body = [PCI_IRQ_FLAGS, irqs.length, ...irqs.flatMap((irq) => little(irq, 4))];
  return [EXTENDED_IRQ, ...little(body.length, 2), ...body];
}

/** Bus numbers that a bridge forwards, both inclusive. [ACPI] 6.4.3.5.3 */
export function busWindow(first: number, last: number): Aml {
  return wordWindow(Space.bus, 0, first, last);
}

/** Ports that a bridge forwards, both inclusive. */
export function ioWindow(first: number, last: number): Aml {
  return wordWindow(Space.io, ENTIRE_IO_RANGE, first, last);
}

/** Memory below 4 GiB that a bridge forwards, both inclusive. [ACPI] 6.4.3.5.2 */
export function memoryWindow(first: number, last: number, cacheable: boolean): Aml {
  const flags = cacheable ? MEMORY_CACHEABLE : MEMORY_UNCACHEABLE;
  return [DWORD_ADDRESS, ...little(23, 2), Space.memory, WINDOW_FLAGS, flags, ...range(first, last, 4)];
}

function wordWindow(space: number, flags: number, first: number, last: number): Aml {
  return [WORD_ADDRESS, ...little(13, 2), space, WINDOW_FLAGS, flags, ...range(first, last, 2)];
}

/** Granularity, minimum, maximum, translation and length, `size` bytes each. */
function range(first: number, last: number, size: number): Aml {
  return [0, first, last, 0, last - first + 1].flatMap((value) => [...little(value, size)]);
}
