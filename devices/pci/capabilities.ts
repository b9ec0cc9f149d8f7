/**
 * The capability list of a function: from offset 0x34 on, each entry leads to the next.
 *
 * [PCI30] PCI Local Bus Specification 3.0, 6.7 "Capabilities list"
 */
import type { PciRegister } from "./pci-register.js";

/** [PCI30] appendix H */
export const CapabilityId = { msi: 0x05, vendor: 0x09, msix: 0x11 } as const;
/** Capability id and the offset of the next one. */
export const CAPABILITY_HEADER = 2;
const FIRST_CAPABILITY = 0x40;
const CONFIG_END = 0x100;

/** One entry. The configuration space calls all of it under the host bridge's lock. */
export interface PciCapability {
  readonly id: number;
  /** Bytes, the two of the header included. */
  readonly length: number;
  /** What stands after the header; offsets count from the capability's start. */
  readonly registers: readonly PciRegister[];
  /** Once, at construction: the capability's own bytes of the configuration space, header first. */
  attach(bytes: Uint8Array<SharedArrayBuffer>): void;
  /** Its bytes or the command register may have changed: a write, a reset, a restored state. */
  changed(command: number): void;
  /** True while the guest has the function signal by messages: INTx must stay silent then. */
  replacesIntx(): boolean;
}

export interface PlacedCapability {
  /** Offset in configuration space. */
  readonly at: number;
  readonly capability: PciCapability;
}

/** A capability that only says something: the guest writes bits that nobody acts on, or none. */
export function plainCapability(id: number, length: number, registers: readonly PciRegister[]): PciCapability {
  return {
    id,
    length,
    registers,
    attach: () => undefined,
    changed: () => undefined,
    replacesIntx: () => false,
  };
}

/**
 * Gives each capability its place, in order, on dwords.
 *
 * @throws RangeError when configuration space has no room for them
 */
export function placeCapabilities(capabilities: readonly PciCapability[]): readonly PlacedCapability[] {
  let next = FIRST_CAPABILITY;
  return capabilities.map((capability) => {
    const at = next;
    next = Math.ceil((at + capability.length) / 4) * 4;
    if (next > CONFIG_END) throw new RangeError(`Cannot place a PCI capability of ${capability.length} bytes at ${at}`);
    return { at, capability };
  });
}
