/**
 * PIIX4 power management function, 01.3: places the PM registers and the SMBus controller's in I/O space.
 *
 * [PIIX4] Intel 82371AB, 290562-001, 7.1 "Power management PCI configuration registers"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize, IoHandler } from "../../shared/io.js";
import { PM_IO_LENGTH } from "../acpi-pm.js";
import { joinStates, restoreParts } from "../chip-state.js";
import type { ChipState } from "../chip-state.js";
import { ConfigSpace, touches } from "./config-space.js";
import type { PciDecode, PciFunction } from "./config-space.js";
import { BOARD_SUBSYSTEM } from "./piix3.js";
import { Piix4Smbus, SMBUS_IO_LENGTH } from "./piix4-smbus.js";

/** [PIIX4] 7.1.7, 7.1.14, 7.1.24, 7.1.25 and 7.1.26 */
export const Piix4Register = { pmba: 0x40, devactb: 0x58, pmregmisc: 0x80, smbba: 0x90, smbhstcfg: 0xd2 } as const;
/** PMREGMISC: the PM block answers. */
export const PMIOSE = 0x01;
const BASE_MASK = 0xffc0;
/** SMBHSTCFG: the SMBus controller answers. */
export const SMB_HST_EN = 0x01;
const SMBUS_BASE_MASK = 0xfff0;
/**
 * DEVACTB: writes to the APM control port make an SMI. There is no system management mode, and firmware that finds this
 * bit set takes it for set up already.
 */
const APMC_EN = 0x0200_0000;

/** Registers that say what is decoded. */
const DECODING = [
  { offset: Piix4Register.pmba, length: 4 },
  { offset: Piix4Register.pmregmisc, length: 1 },
  { offset: Piix4Register.smbba, length: 4 },
  { offset: Piix4Register.smbhstcfg, length: 1 },
] as const;
/** 1 was the configuration space alone. */
const VERSION = 2;

export class Piix4Pm implements PciFunction {
  readonly name = "piix4-pm";
  readonly slot = 1;
  readonly function = 3;
  readonly #config: ConfigSpace;
  readonly #pmIo: IoHandler;
  readonly #smbus: Piix4Smbus;

  constructor(arena: SharedArena, pmIo: IoHandler) {
    this.#pmIo = pmIo;
    this.#smbus = new Piix4Smbus(arena);
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
        { offset: Piix4Register.smbba, size: 4, initial: 0x0001, writable: SMBUS_BASE_MASK },
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
    return DECODING.some((register) => touches(offset, size, register.offset, register.length));
  }

  /** The command register has no say here: each block has an enable bit of its own. [PIIX4] 7.1.24, 7.1.26 */
  decodes(): readonly PciDecode[] {
    const smbus = this.#config.read(Piix4Register.smbba, 4) & SMBUS_BASE_MASK;
    return [
      {
        kind: "io",
        base: this.pmBase,
        length: PM_IO_LENGTH,
        enabled: this.pmBase !== 0 && this.#isSet(Piix4Register.pmregmisc, PMIOSE),
        handler: this.#pmIo,
      },
      {
        kind: "io",
        base: smbus,
        length: SMBUS_IO_LENGTH,
        enabled: smbus !== 0 && this.#isSet(Piix4Register.smbhstcfg, SMB_HST_EN),
        handler: this.#smbus.io,
      },
    ];
  }

  reset(): void {
    this.#config.reset();
    this.#smbus.reset();
  }

  save(): ChipState {
    return joinStates(VERSION, [this.#config.save(), this.#smbus.save()]);
  }

  restore(state: ChipState): void {
    restoreParts(state, VERSION, [
      (part) => {
        this.#config.restore(part);
      },
      (part) => {
        this.#smbus.restore(part);
      },
    ]);
  }

  #isSet(register: number, bit: number): boolean {
    return (this.#config.read(register, 1) & bit) !== 0;
  }
}
