/**
 * PIIX4 power management function, 01.3: places the PM registers in I/O space.
 *
 * Not modelled: the SMBus controller. Its enable bit reads back, and nothing answers at its base.
 *
 * [PIIX4] Intel 82371AB, 290562-001, 7.1 "Power management PCI configuration registers"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize, IoHandler } from "../../shared/io.js";
import { PM_IO_LENGTH } from "../acpi-pm.js";
import type { ChipState } from "../chip-state.js";
import { ConfigSpace, touches } from "./config-space.js";
import type { PciDecode, PciFunction } from "./config-space.js";
import { BOARD_SUBSYSTEM } from "./piix3.js";

/** [PIIX4] 7.1.7, 7.1.14, 7.1.24, 7.1.25 and 7.1.26 */
export const Piix4Register = { pmba: 0x40, devactb: 0x58, pmregmisc: 0x80, smbba: 0x90, smbhstcfg: 0xd2 } as const;
/** PMREGMISC: the PM block answers. */
export const PMIOSE = 0x01;
const BASE_MASK = 0xffc0;
/**
 * DEVACTB: writes to the APM control port make an SMI. There is no system management mode, and firmware that finds this
 * bit set takes it for set up already.
 */
const APMC_EN = 0x0200_0000;

export class Piix4Pm implements PciFunction {
  readonly name = "piix4-pm";
  readonly slot = 1;
  readonly function = 3;
  readonly #config: ConfigSpace;
  readonly #pmIo: IoHandler;

  constructor(arena: SharedArena, pmIo: IoHandler) {
    this.#pmIo = pmIo;
    this.#config = new ConfigSpace(arena, {
      identity: {
        vendor: 0x8086,
        device: 0x7113,
        revision: 3,
        classCode: 0x06_8000,
        interruptPin: 1,
        status: 0x0280,
        ...BOARD_SUBSYSTEM,
      },
      command: { initial: 0, writable: 0x0001 },
      registers: [
        { offset: Piix4Register.pmba, size: 4, initial: 0x0001, writable: BASE_MASK },
        { offset: Piix4Register.devactb, size: 4, initial: APMC_EN, writable: 0 },
        { offset: Piix4Register.pmregmisc, size: 1, initial: 0, writable: PMIOSE },
        { offset: Piix4Register.smbba, size: 4, initial: 0x0001, writable: 0xfff0 },
        { offset: Piix4Register.smbhstcfg, size: 1, initial: 0, writable: 0x0f },
      ],
    });
  }

  /** I/O port of the PM block, whether it answers or not. */
  get pmBase(): number {
    return this.#config.read(Piix4Register.pmba, 4) & BASE_MASK;
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): boolean {
    this.#config.write(offset, size, value);
    return touches(offset, size, Piix4Register.pmba, 4) || touches(offset, size, Piix4Register.pmregmisc, 1);
  }

  /** The command register has no say here: PMIOSE alone enables the block. [PIIX4] 7.1.24 */
  decodes(): readonly PciDecode[] {
    const base = this.pmBase;
    const enabled = base !== 0 && (this.#config.read(Piix4Register.pmregmisc, 1) & PMIOSE) !== 0;
    return [{ kind: "io", base, length: PM_IO_LENGTH, enabled, handler: this.#pmIo }];
  }

  reset(): void {
    this.#config.reset();
  }

  save(): ChipState {
    return this.#config.save();
  }

  restore(state: ChipState): void {
    this.#config.restore(state);
  }
}
