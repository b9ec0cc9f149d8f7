/**
 * What is on the PCI bus, as its configuration registers say now: for people who look at a machine.
 *
 * [PCI] PCI Local Bus Specification 2.1, 6.1 "Configuration space organization"
 */
import type { PciFunction } from "./config-space.js";
import { Header } from "./config-space.js";
import type { PciHostBridge } from "./host-bridge.js";

/** A base address register that is programmed. */
export interface PciBarReport {
  readonly index: number;
  readonly kind: "io" | "mmio";
  readonly base: number;
  /** Bytes. */
  readonly length: number;
}

export interface PciFunctionReport {
  readonly name: string;
  readonly slot: number;
  readonly function: number;
  readonly vendor: number;
  readonly device: number;
  /** Base class and subclass, 16 bits. */
  readonly classCode: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  /** 0 none, 1 = A .. 4 = D. */
  readonly interruptPin: number;
  /** What firmware wrote down. */
  readonly interruptLine: number;
  readonly bars: readonly PciBarReport[];
}

const CLASS = 0x0a;
const BARS = 6;
/** [PCI] 6.2.5.1 */
const BAR_IO = 0x1;
const BAR_IO_FLAGS = 0x3;
const BAR_MEMORY_FLAGS = 0xf;

/** Every function, in the order of the bus. */
export function pciInventory(bridge: PciHostBridge): readonly PciFunctionReport[] {
  return bridge.functions
    .map((pciFunction) => describe(bridge, pciFunction))
    .sort((a, b) => a.slot - b.slot || a.function - b.function);
}

function describe(bridge: PciHostBridge, pciFunction: PciFunction): PciFunctionReport {
  const { name, slot, function: number } = pciFunction;
  return {
    name,
    slot,
    function: number,
    vendor: bridge.readConfig(pciFunction, Header.vendor, 2),
    device: bridge.readConfig(pciFunction, Header.device, 2),
    classCode: bridge.readConfig(pciFunction, CLASS, 2),
    subsystemVendor: bridge.readConfig(pciFunction, Header.subsystemVendor, 2),
    subsystem: bridge.readConfig(pciFunction, Header.subsystem, 2),
    interruptPin: bridge.readConfig(pciFunction, Header.interruptPin, 1),
    interruptLine: bridge.readConfig(pciFunction, Header.interruptLine, 1),
    bars: bars(bridge, pciFunction),
  };
}

function bars(bridge: PciHostBridge, pciFunction: PciFunction): readonly PciBarReport[] {
  const decodes = pciFunction.decodes();
  return Array.from({ length: BARS }, (_, index) => {
    const value = bridge.readConfig(pciFunction, Header.bar0 + index * 4, 4);
    const kind = (value & BAR_IO) !== 0 ? "io" : "mmio";
    const base = (value & ~(kind === "io" ? BAR_IO_FLAGS : BAR_MEMORY_FLAGS)) >>> 0;
    const decode = decodes.find((range) => base !== 0 && range.kind === kind && range.base === base);
    return decode === undefined ? [] : [{ index, kind, base, length: decode.length } as const];
  }).flat();
}
