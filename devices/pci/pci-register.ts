/** Registers of PCI configuration space as data. */
import type { AccessSize } from "../../shared/io.js";

/** A register beyond the header: power-on value and the bits that a guest can write. */
export interface PciRegister {
  readonly offset: number;
  readonly size: AccessSize;
  readonly initial: number;
  readonly writable: number;
}
