/**
 * ACPI fixed hardware as the PIIX4 has it: PM1 event and control blocks, the PM timer, GPE block 0 and the SMI command
 * port by which an operating system takes over power management.
 *
 * [PIIX4] Intel 82371AB, 290562-001, 7.2 "Power management I/O registers"
 * [ACPI] ACPI 6.5, 4.8 "ACPI register model"
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { AccessSize, Device, IoHandler, IrqLine, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { RegisterFile, reserved } from "../shared/register-file.js";
import type { RegisterAccess } from "../shared/register-file.js";
import { BytePorts } from "./byte-ports.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

export interface AcpiPmHost {
  /** Time of the machine, in ns. */
  nowNs(): number;
  /** Wants `expire()` at `deadlineNs`, Infinity for never; replaces what was wanted before. Called under the lock. */
  arm(deadlineNs: number): void;
  /** Level-triggered. */
  readonly sci: IrqLine;
  /** The guest entered S5. Called under the lock. */
  powerOff(): void;
}

/** Where the blocks are; the FADT tells the operating system the same. */
export const GPE0_BASE = port(0xafe0);
export const GPE0_LENGTH = 4;
export const APM_BASE = port(0xb2);
/** Size of the PM block that the PIIX4 decodes at PMBA, in bytes. [PIIX4] 7.2 */
export const PM_IO_LENGTH = 64;
/** Written to the SMI command port. */
export const SmiCommand = { acpiEnable: 0xf1, acpiDisable: 0xf0 } as const;
/** SLP_TYP values that this board gives to sleep states. S3 is not there. */
export const SleepType = { s5: 0, s4: 2 } as const;

/** [PIIX4] 7.2.1 PMSTS and 7.2.2 PMEN */
const Pm1 = { timer: 0x0001, powerButton: 0x0100 } as const;
/** Bits of PMSTS that a guest clears: also global lock release, sleep button, RTC and wake. */
const PM1_ENABLES = 0x0721;
/** [PIIX4] 7.2.3 PMCNTRL */
const Control = { sciEnable: 0x0001, sleepEnable: 0x2000 } as const;
const CONTROL_WRITABLE = 0x1c03;
const SLEEP_TYPE_SHIFT = 10;

/** [ACPI] 4.8.3.3 */
export const PM_TIMER_HZ = 3_579_545;
const NS = 1e9;

const PM_IO = new RegisterFile(PM_IO_LENGTH, [
  ["pmSts", 2, "w1c"],
  ["pmEn", 2],
  ["pmCntrl", 2],
  reserved(2),
  ["pmTmr", 4, "ro"],
  // Not modelled: processor clock control and device monitors; the FADT does not offer C2, C3 or throttling.
  reserved(0x34),
]);
type PmRegister = "pmSts" | "pmEn" | "pmCntrl" | "pmTmr";

const GPE0 = new RegisterFile(GPE0_LENGTH, [
  ["gpeSts", 2, "w1c"],
  ["gpeEn", 2],
]);
type GpeRegister = "gpeSts" | "gpeEn";

/** `halfPeriod`: half periods of the timer (its top bit's changes) that were accounted for. */
const W = words(["pmSts", "pmEn", "pmCntrl", "halfPeriod", "gpeSts", "gpeEn", "apmCommand", "apmStatus"]);
const VERSION = 1;

export class AcpiPm implements Device {
  readonly name = "acpi-pm";
  readonly ports: readonly PortRange[];
  /** The block of {@link PM_IO_LENGTH} bytes whose place the PIIX4's configuration space says. */
  readonly pmIo: IoHandler;
  readonly #host: AcpiPmHost;
  readonly #lock: Lock;
  readonly #words: Float64Array<SharedArrayBuffer>;
  /** Ticks between two changes of the timer's top bit. */
  readonly #halfPeriod: number;

  constructor(arena: SharedArena, host: AcpiPmHost, timerBits: 24 | 32 = 24) {
    this.#host = host;
    this.#halfPeriod = 2 ** (timerBits - 1);
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.float64(8);
    this.pmIo = this.#registerPorts(PM_IO, {
      read: (register) => this.#readPm(register),
      write: (register, value) => {
        this.#writePm(register, value);
      },
    });
    this.ports = [
      {
        base: APM_BASE,
        length: 2,
        handler: new BytePorts(this.#lock, 2, {
          read: (offset) => this.#word(offset === 0 ? W.apmCommand : W.apmStatus),
          write: (offset, value) => {
            if (offset === 0) this.#smiCommand(value);
            else this.#words[W.apmStatus] = value;
          },
        }),
      },
      {
        base: GPE0_BASE,
        length: GPE0_LENGTH,
        handler: this.#registerPorts<GpeRegister>(GPE0, {
          read: (register) => this.#word(W[register]),
          write: (register, value) => {
            this.#words[W[register]] = register === "gpeSts" ? this.#word(W.gpeSts) & ~value : value;
            this.#update();
          },
        }),
      },
    ];
  }

  reset(): void {
    this.#lock.hold(() => {
      this.#words.fill(0);
      this.#words[W.halfPeriod] = this.#halfPeriods(this.#host.nowNs());
      this.#update();
    });
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words);
    this.#update();
  }

  /** Raises the timer's interrupt if it is due. Harmless when called early. */
  expire(nowNs: number): void {
    this.#lock.hold(() => {
      this.#update(nowNs);
    });
  }

  /** Somebody pressed the power button: asks the guest to shut down. */
  pressPowerButton(): void {
    this.#lock.hold(() => {
      this.#words[W.pmSts] = this.#word(W.pmSts) | Pm1.powerButton;
      this.#update();
    });
  }

  /** Sets a general-purpose event, `bit` 0..15. */
  raiseGpe(bit: number): void {
    this.#lock.hold(() => {
      this.#words[W.gpeSts] = this.#word(W.gpeSts) | (1 << bit);
      this.#update();
    });
  }

  #registerPorts<Name extends string>(file: RegisterFile<Name>, access: RegisterAccess<Name>): IoHandler {
    return {
      read: (offset: number, size: AccessSize): number => {
        this.#lock.acquire();
        try {
          return file.read(offset, size, access);
        } finally {
          this.#lock.release();
        }
      },
      write: (offset: number, size: AccessSize, value: number): void => {
        this.#lock.hold(() => {
          file.write(offset, size, value, access);
        });
      },
    };
  }

  #readPm(register: PmRegister): number {
    switch (register) {
      case "pmTmr":
        return ticksAt(this.#host.nowNs()) % (this.#halfPeriod * 2);
      case "pmSts":
        this.#catchUp(this.#host.nowNs());
        return this.#word(W.pmSts);
      case "pmEn":
        return this.#word(W.pmEn);
      case "pmCntrl":
        return this.#word(W.pmCntrl);
    }
  }

  #writePm(register: PmRegister, value: number): void {
    switch (register) {
      case "pmTmr":
        break;
      case "pmSts":
        this.#catchUp(this.#host.nowNs());
        this.#words[W.pmSts] = this.#word(W.pmSts) & ~value;
        this.#update();
        break;
      case "pmEn":
        this.#words[W.pmEn] = value & PM1_ENABLES;
        this.#update();
        break;
      case "pmCntrl":
        // SLP_EN is write-only. [PIIX4] 7.2.3
        this.#words[W.pmCntrl] = value & CONTROL_WRITABLE;
        this.#update();
        if ((value & Control.sleepEnable) !== 0) this.#sleep((value >> SLEEP_TYPE_SHIFT) & 7);
        break;
    }
  }

  /** Types that no sleep state of ours has do nothing. */
  #sleep(type: number): void {
    if (type === SleepType.s5 || type === SleepType.s4) this.#host.powerOff();
  }

  #smiCommand(value: number): void {
    this.#words[W.apmCommand] = value;
    const control = this.#word(W.pmCntrl);
    if (value === SmiCommand.acpiEnable) this.#words[W.pmCntrl] = control | Control.sciEnable;
    else if (value === SmiCommand.acpiDisable) this.#words[W.pmCntrl] = control & ~Control.sciEnable;
    this.#update();
  }

  #halfPeriods(nowNs: number): number {
    return Math.floor(ticksAt(nowNs) / this.#halfPeriod);
  }

  /** TMR_STS is set whenever the timer's top bit changed. [ACPI] 4.8.3.3 */
  #catchUp(nowNs: number): void {
    const halfPeriods = this.#halfPeriods(nowNs);
    if (halfPeriods === this.#word(W.halfPeriod)) return;
    this.#words[W.halfPeriod] = halfPeriods;
    this.#words[W.pmSts] = this.#word(W.pmSts) | Pm1.timer;
  }

  #update(nowNs = this.#host.nowNs()): void {
    this.#catchUp(nowNs);
    const status = this.#word(W.pmSts);
    const enabled = this.#word(W.pmEn);
    const event = (status & enabled) !== 0 || (this.#word(W.gpeSts) & this.#word(W.gpeEn)) !== 0;
    // Without SCI_EN events go to SMM, which this board does not have.
    const sci = event && (this.#word(W.pmCntrl) & Control.sciEnable) !== 0;
    this.#host.sci.set(sci ? 1 : 0);
    const waits = (enabled & ~status & Pm1.timer) !== 0;
    const next = Math.ceil(((this.#word(W.halfPeriod) + 1) * this.#halfPeriod * NS) / PM_TIMER_HZ);
    this.#host.arm(waits ? next : Infinity);
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }
}

/** The PM timer's free-running count. */
function ticksAt(nowNs: number): number {
  return Math.floor((nowNs * PM_TIMER_HZ) / NS);
}
