/**
 * PIIX3 PCI-to-ISA bridge, 01.0: routes PCI interrupts to ISA ones.
 *
 * [PIIX3] Intel 82371SB, 290550-002, 2.2 "PCI configuration registers, function 0"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize } from "../../shared/io.js";
import type { ChipState } from "../chip-state.js";
import { ConfigSpace, touches } from "./config-space.js";
import type { PciDecode, PciFunction } from "./config-space.js";
import type { PciRegister } from "./pci-register.js";

export interface Piix3Host {
  /** The guest changed where PCI interrupts go. Called under the host bridge's lock; `intxGsi()` takes none. */
  routesChanged(): void;
}

/** Subsystem of the board's own functions: the one that virtual PCs use, which guests' tables know. */
export const BOARD_SUBSYSTEM = { subsystemVendor: 0x1af4, subsystem: 0x1100 } as const;

/** PIRQRC[A:D]. [PIIX3] 2.2.9 */
export const PIRQRC = 0x60;
export const PIRQS = 4;
const ROUTING_DISABLED = 0x80;
const ROUTING_WRITABLE = 0x8f;
/** ISA interrupts that a PIRQ can go to: not the timer, keyboard, cascade, RTC and FPU. [PIIX3] 2.2.9 */
const ROUTABLE = 0xdef8;

/** Registers with no effect of ours, kept with their power-on values because guests read them back. [PIIX3] 2.2 */
const READ_BACK: readonly PciRegister[] = [
  { offset: 0x4c, size: 1, initial: 0x4d, writable: 0xff }, // IORT, I/O recovery
  { offset: 0x4e, size: 2, initial: 0x0003, writable: 0x07ff }, // XBCS, X-bus chip selects
  { offset: 0x69, size: 1, initial: 0x02, writable: 0xfe }, // TOM, top of memory
  { offset: 0x6a, size: 2, initial: 0x0000, writable: 0x8010 }, // MSTAT
  { offset: 0x70, size: 1, initial: 0x80, writable: 0xcf }, // MBIRQ0
  { offset: 0x76, size: 1, initial: 0x0c, writable: 0x8f }, // MBDMA0
  { offset: 0x77, size: 1, initial: 0x0c, writable: 0x8f }, // MBDMA1
  { offset: 0x78, size: 2, initial: 0x0002, writable: 0xffff }, // PCSC
  { offset: 0xa0, size: 1, initial: 0x08, writable: 0x1f }, // SMICNTL
];

export class Piix3 implements PciFunction {
  readonly name = "piix3";
  readonly slot = 1;
  readonly function = 0;
  readonly #host: Piix3Host;
  readonly #config: ConfigSpace;

  constructor(arena: SharedArena, host: Piix3Host) {
    this.#host = host;
    this.#config = new ConfigSpace(arena, {
      identity: {
        vendor: 0x8086,
        device: 0x7000,
        revision: 0,
        classCode: 0x06_0100,
        multifunction: true,
        status: 0x0200,
        ...BOARD_SUBSYSTEM,
      },
      // I/O, memory and mastering are hard-wired on. [PIIX3] 2.2.3
      command: { initial: 0x0007, writable: 0x0108 },
      registers: [
        ...READ_BACK,
        { offset: PIRQRC, size: 4, initial: 0x8080_8080, writable: ROUTING_WRITABLE * 0x0101_0101 },
      ],
    });
  }

  /** ISA interrupt of INTx `pin` (1 = A .. 4 = D) of device `slot`; -1 when the guest routes it nowhere. */
  intxGsi(slot: number, pin: number): number {
    const route = this.#config.read(PIRQRC + pirqOf(slot, pin), 1);
    const irq = route & 0x0f;
    return (route & ROUTING_DISABLED) !== 0 || ((ROUTABLE >> irq) & 1) === 0 ? -1 : irq;
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): boolean {
    this.#config.write(offset, size, value);
    if (touches(offset, size, PIRQRC, PIRQS)) this.#host.routesChanged();
    return false;
  }

  decodes(): readonly PciDecode[] {
    return [];
  }

  reset(): void {
    this.#config.reset();
    this.#host.routesChanged();
  }

  save(): ChipState {
    return this.#config.save();
  }

  restore(state: ChipState): void {
    this.#config.restore(state);
  }
}

/**
 * Which PIRQ (0 = A .. 3 = D) a slot's pin is wired to: pins rotate by slot, and slot 1 starts with A. The ACPI tables'
 * _PRT says the same.
 */
export function pirqOf(slot: number, pin: number): number {
  return (slot + pin + 2) & 3;
}
