/**
 * The pair of 8259A interrupt controllers of a PC, with the edge/level registers of the PIIX3.
 *
 * [8259A] Intel 8259A Programmable Interrupt Controller, 231468-003
 * [PIIX3] Intel 82371SB, 290550-002, 2.6 "Interrupt unit", 2.6.6 ELCR
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { Device, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { BytePorts } from "./byte-ports.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

export interface I8259Host {
  /** INTR changed. Called under the chips' lock: store, wake vCPU 0, do not call back. */
  intr(level: 0 | 1): void;
}

const MASTER_PORT = port(0x20);
const SLAVE_PORT = port(0xa0);
const ELCR_PORT = port(0x4d0);
/** Master input that the slave's INT is wired to. */
const CASCADE = 2;
/** Input that an interrupt which went away before its acknowledge is reported as. [8259A] "Edge and level triggered modes" */
const SPURIOUS = 7;
/** Inputs that may be level-triggered: not the timer, keyboard, cascade, RTC and FPU. [PIIX3] 2.6.6 */
const ELCR_MASK = [0xf8, 0xde] as const;

/** [8259A] figure 7, ICW1 */
const Icw1 = { icw4: 0x01, single: 0x02, select: 0x10 } as const;
/** [8259A] figure 7, ICW4 */
const Icw4 = { autoEoi: 0x02, fullyNested: 0x10 } as const;
/** [8259A] figure 8, OCW3 */
const Ocw3 = { readIsr: 0x01, read: 0x02, poll: 0x04, select: 0x08, specialMask: 0x20, setSpecialMask: 0x40 } as const;
/** [8259A] figure 8, bits 7..5 of OCW2 */
const Ocw2 = {
  rotateAutoClear: 0,
  eoi: 1,
  specificEoi: 3,
  rotateAutoSet: 4,
  rotateEoi: 5,
  setPriority: 6,
  rotateSpecificEoi: 7,
} as const;

/** Which command word the next write to A0 = 1 is. */
const Expect = { mask: 0, icw2: 1, icw3: 2, icw4: 3 } as const;

/** Words of one chip. `lines`: levels of the inputs; `edges`: rising edges not acknowledged yet; `lowest`: input of lowest priority. */
const W = words([
  "lines",
  "edges",
  "imr",
  "isr",
  "elcr",
  "base",
  "lowest",
  "expect",
  "icw1",
  "icw4",
  "rotateOnAutoEoi",
  "specialMask",
  "poll",
  "readIsr",
]);
const CHIP_WORDS = 14;
const SLAVE = 1;
const OUTPUT = CHIP_WORDS * 2;
const VERSION = 1;

export class I8259 implements Device {
  readonly name = "i8259";
  readonly ports: readonly PortRange[];
  readonly #host: I8259Host;
  readonly #lock: Lock;
  /** Master's words, slave's words, then the level of INTR. */
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, host: I8259Host) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(OUTPUT + 1);
    this.ports = [
      { base: MASTER_PORT, length: 2, handler: this.#chipPorts(0) },
      { base: SLAVE_PORT, length: 2, handler: this.#chipPorts(SLAVE) },
      {
        base: ELCR_PORT,
        length: 2,
        handler: new BytePorts(this.#lock, 2, {
          read: (chip) => this.#get(chip, W.elcr),
          write: (chip, value) => {
            this.#writeElcr(chip, value);
            this.#update();
          },
        }),
      },
    ];
  }

  /** Level of INTR, without the lock: vCPU 0 looks before each entry. */
  get output(): 0 | 1 {
    return Atomics.load(this.#words, OUTPUT) === 0 ? 0 : 1;
  }

  reset(): void {
    this.#lock.hold(() => {
      this.#words.fill(0, 0, OUTPUT);
      this.#set(0, W.lowest, SPURIOUS);
      this.#set(SLAVE, W.lowest, SPURIOUS);
      this.#update();
    });
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words);
    this.#host.intr(this.output);
  }

  /** Drives input `irq`, 0..15. */
  set(irq: number, level: 0 | 1): void {
    this.#lock.acquire();
    try {
      const chip = irq >> 3;
      const bit = 1 << (irq & 7);
      const lines = this.#get(chip, W.lines);
      if (level === 1) {
        if ((lines & bit) !== 0) return;
        this.#set(chip, W.lines, lines | bit);
        if ((this.#get(chip, W.elcr) & bit) === 0) this.#set(chip, W.edges, this.#get(chip, W.edges) | bit);
      } else {
        this.#set(chip, W.lines, lines & ~bit);
      }
      this.#update();
    } finally {
      this.#lock.release();
    }
  }

  /** Sets both edge/level registers at once, bit n for IRQ n: what firmware does at power-on. */
  setTriggers(levelTriggered: number): void {
    this.#lock.hold(() => {
      this.#writeElcr(0, levelTriggered & 0xff);
      this.#writeElcr(SLAVE, (levelTriggered >>> 8) & 0xff);
      this.#update();
    });
  }

  /** INTA cycle: takes the most urgent interrupt into service and returns its vector. */
  acknowledge(): number {
    this.#lock.acquire();
    try {
      const irq = this.#takeInterrupt(0);
      const vector =
        irq === CASCADE ? this.#get(SLAVE, W.base) + this.#takeInterrupt(SLAVE) : this.#get(0, W.base) + irq;
      this.#update();
      return vector & 0xff;
    } finally {
      this.#lock.release();
    }
  }

  #chipPorts(chip: number): BytePorts {
    return new BytePorts(this.#lock, 2, {
      read: (offset) => this.#read(chip, offset),
      write: (offset, value) => {
        if (offset === 1) this.#writeData(chip, value);
        else if ((value & Icw1.select) !== 0) this.#initialise(chip, value);
        else if ((value & Ocw3.select) !== 0) this.#control(chip, value);
        else this.#endOrRotate(chip, value);
        this.#update();
      },
    });
  }

  #read(chip: number, offset: number): number {
    if (this.#get(chip, W.poll) !== 0) {
      // [8259A] "Poll command": the next read is an acknowledge.
      this.#set(chip, W.poll, 0);
      if (this.#pending(chip) < 0) return 0;
      const irq = this.#takeInterrupt(chip);
      this.#update();
      return 0x80 | irq;
    }
    if (offset === 1) return this.#get(chip, W.imr);
    return this.#get(chip, W.readIsr) !== 0 ? this.#get(chip, W.isr) : this.#requests(chip);
  }

  /** ICW1 starts the initialisation sequence and forgets everything but the inputs and the ELCR. */
  #initialise(chip: number, value: number): void {
    const lines = this.#get(chip, W.lines);
    const elcr = this.#get(chip, W.elcr);
    this.#words.fill(0, chip * CHIP_WORDS, (chip + 1) * CHIP_WORDS);
    this.#set(chip, W.lines, lines);
    this.#set(chip, W.elcr, elcr);
    this.#set(chip, W.lowest, SPURIOUS);
    this.#set(chip, W.icw1, value);
    this.#set(chip, W.expect, Expect.icw2);
  }

  #writeData(chip: number, value: number): void {
    const icw1 = this.#get(chip, W.icw1);
    const afterIcw3 = (icw1 & Icw1.icw4) !== 0 ? Expect.icw4 : Expect.mask;
    switch (this.#get(chip, W.expect)) {
      case Expect.icw2:
        this.#set(chip, W.base, value & 0xf8);
        this.#set(chip, W.expect, (icw1 & Icw1.single) !== 0 ? afterIcw3 : Expect.icw3);
        break;
      case Expect.icw3:
        // The wiring is fixed, whatever the guest says here.
        this.#set(chip, W.expect, afterIcw3);
        break;
      case Expect.icw4:
        this.#set(chip, W.icw4, value);
        this.#set(chip, W.expect, Expect.mask);
        break;
      default:
        this.#set(chip, W.imr, value);
    }
  }

  #control(chip: number, value: number): void {
    if ((value & Ocw3.poll) !== 0) this.#set(chip, W.poll, 1);
    if ((value & Ocw3.read) !== 0) this.#set(chip, W.readIsr, value & Ocw3.readIsr);
    if ((value & Ocw3.setSpecialMask) !== 0) this.#set(chip, W.specialMask, (value & Ocw3.specialMask) === 0 ? 0 : 1);
  }

  #endOrRotate(chip: number, value: number): void {
    const named = value & 7;
    switch (value >> 5) {
      case Ocw2.rotateAutoClear:
      case Ocw2.rotateAutoSet:
        this.#set(chip, W.rotateOnAutoEoi, value >> 7);
        break;
      case Ocw2.eoi:
      case Ocw2.rotateEoi: {
        const irq = this.#mostUrgent(chip, this.#serviced(chip));
        if (irq < 0) break;
        this.#set(chip, W.isr, this.#get(chip, W.isr) & ~(1 << irq));
        if (value >> 5 === Ocw2.rotateEoi) this.#set(chip, W.lowest, irq);
        break;
      }
      case Ocw2.specificEoi:
      case Ocw2.rotateSpecificEoi:
        this.#set(chip, W.isr, this.#get(chip, W.isr) & ~(1 << named));
        if (value >> 5 === Ocw2.rotateSpecificEoi) this.#set(chip, W.lowest, named);
        break;
      case Ocw2.setPriority:
        this.#set(chip, W.lowest, named);
        break;
      default:
        break;
    }
  }

  #writeElcr(chip: number, value: number): void {
    const elcr = value & (ELCR_MASK[chip] ?? 0);
    this.#set(chip, W.elcr, elcr);
    this.#set(chip, W.edges, this.#get(chip, W.edges) & ~elcr);
  }

  /** IRR: latched edges, the levels of level-triggered inputs, and on the master the slave's INT. */
  #requests(chip: number): number {
    const requests = this.#get(chip, W.edges) | (this.#get(chip, W.lines) & this.#get(chip, W.elcr));
    if (chip === SLAVE) return requests;
    // The cascade follows the slave's INT as a level, so a second request behind an acknowledged one is not lost.
    return this.#pending(SLAVE) < 0 ? requests & ~(1 << CASCADE) : requests | (1 << CASCADE);
  }

  /** In-service bits that count: in special mask mode masked ones do not. [8259A] "Special mask mode" */
  #serviced(chip: number): number {
    const isr = this.#get(chip, W.isr);
    return this.#get(chip, W.specialMask) !== 0 ? isr & ~this.#get(chip, W.imr) : isr;
  }

  /** The input of highest priority among `inputs`, or -1. */
  #mostUrgent(chip: number, inputs: number): number {
    const lowest = this.#get(chip, W.lowest);
    for (let rank = 1; rank <= 8; rank++) {
      const irq = (lowest + rank) & 7;
      if ((inputs & (1 << irq)) !== 0) return irq;
    }
    return -1;
  }

  /** The input that asserts INT now, or -1. */
  #pending(chip: number): number {
    const irq = this.#mostUrgent(chip, this.#requests(chip) & ~this.#get(chip, W.imr));
    if (irq < 0) return -1;
    let serviced = this.#serviced(chip);
    // [8259A] "Special fully nested mode": a more urgent request of a slave in service gets through.
    if (chip === 0 && (this.#get(chip, W.icw4) & Icw4.fullyNested) !== 0) serviced &= ~(1 << CASCADE);
    const current = this.#mostUrgent(chip, serviced);
    if (current < 0) return irq;
    const lowest = this.#get(chip, W.lowest);
    return ((irq - lowest - 1) & 7) < ((current - lowest - 1) & 7) ? irq : -1;
  }

  #takeInterrupt(chip: number): number {
    const irq = this.#pending(chip);
    if (irq < 0) return SPURIOUS;
    const bit = 1 << irq;
    this.#set(chip, W.edges, this.#get(chip, W.edges) & ~bit);
    if ((this.#get(chip, W.icw4) & Icw4.autoEoi) === 0) this.#set(chip, W.isr, this.#get(chip, W.isr) | bit);
    else if (this.#get(chip, W.rotateOnAutoEoi) !== 0) this.#set(chip, W.lowest, irq);
    return irq;
  }

  #update(): void {
    const level = this.#pending(0) < 0 ? 0 : 1;
    if (Atomics.exchange(this.#words, OUTPUT, level) !== level) this.#host.intr(level);
  }

  #get(chip: number, word: number): number {
    return this.#words[chip * CHIP_WORDS + word] ?? 0;
  }

  #set(chip: number, word: number, value: number): void {
    this.#words[chip * CHIP_WORDS + word] = value;
  }
}
