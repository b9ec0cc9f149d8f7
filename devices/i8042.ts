/**
 * 8042 keyboard controller with a keyboard on which nobody types and no mouse. Its other life is resetting the machine.
 *
 * [8042] IBM PS/2 Hardware Interface Technical Reference, "Keyboard and auxiliary device controller"
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { Device, IrqLine, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { BytePorts } from "./byte-ports.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";
import { Ps2Keyboard } from "./ps2-keyboard.js";

export interface I8042Host {
  readonly irq1: IrqLine;
  readonly irq12: IrqLine;
  /** The guest pulsed the processor's reset line. Called under the lock. */
  reset(): void;
}

/** [8042] "Status register" */
const Status = { output: 0x01, system: 0x04, command: 0x08, unlocked: 0x10, auxiliary: 0x20, timeout: 0x40 } as const;
/** [8042] "Controller command byte" */
const Config = {
  keyboardIrq: 0x01,
  auxiliaryIrq: 0x02,
  system: 0x04,
  keyboardOff: 0x10,
  auxiliaryOff: 0x20,
  translate: 0x40,
} as const;
/** [8042] "Output port" */
const OutputPort = { notReset: 0x01, a20: 0x02 } as const;
const INPUT_PORT = 0x80; // keyboard not locked

/** [8042] "Controller commands" */
const Command = {
  readConfig: 0x20,
  writeConfig: 0x60,
  auxiliaryDisable: 0xa7,
  auxiliaryEnable: 0xa8,
  auxiliaryTest: 0xa9,
  selfTest: 0xaa,
  keyboardTest: 0xab,
  keyboardDisable: 0xad,
  keyboardEnable: 0xae,
  readInputPort: 0xc0,
  readOutputPort: 0xd0,
  writeOutputPort: 0xd1,
  writeKeyboardBuffer: 0xd2,
  writeAuxiliaryBuffer: 0xd3,
  writeAuxiliary: 0xd4,
  disableA20: 0xdd,
  enableA20: 0xdf,
  pulse: 0xf0,
} as const;
const SELF_TEST_PASSED = 0x55;
const INTERFACE_OK = 0x00;
const RESEND = 0xfe;

/** Bits above the byte in the output queue: who it comes from, and that nobody answered. */
const AUXILIARY = 0x100;
const TIMEOUT = 0x200;
const QUEUE = 16;

/** `awaiting`: command whose parameter comes next at 0x60; `last`: byte that 0x60 shows when the queue is empty; `queue` goes on to the end. */
const W = words(["status", "config", "outputPort", "awaiting", "last", "head", "count", "keyboard", "queue"]);
const STATE_WORDS = W.queue + QUEUE;
const VERSION = 1;

export class I8042 implements Device {
  readonly name = "i8042";
  readonly ports: readonly PortRange[];
  readonly #host: I8042Host;
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #keyboard: Ps2Keyboard;

  constructor(arena: SharedArena, host: I8042Host) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(STATE_WORDS);
    this.#keyboard = new Ps2Keyboard(this.#words.subarray(W.keyboard, W.keyboard + 1), (value) => {
      this.#queue(value);
    });
    this.ports = [
      {
        base: port(0x60),
        length: 1,
        handler: new BytePorts(this.#lock, 1, {
          read: () => this.#readData(),
          write: (_offset, value) => {
            this.#writeData(value);
          },
        }),
      },
      {
        base: port(0x64),
        length: 1,
        handler: new BytePorts(this.#lock, 1, {
          read: () => this.#status(),
          write: (_offset, value) => {
            this.#command(value);
          },
        }),
      },
    ];
  }

  reset(): void {
    this.#lock.acquire();
    try {
      this.#words.fill(0);
      this.#words[W.config] = Config.keyboardIrq | Config.translate | Config.system;
      this.#words[W.outputPort] = OutputPort.notReset | OutputPort.a20;
      this.#update();
    } finally {
      this.#lock.release();
    }
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words);
    this.#update();
  }

  #status(): number {
    let status = Status.unlocked | this.#word(W.status) | (this.#word(W.config) & Config.system);
    if (this.#word(W.count) > 0) {
      const next = this.#peek();
      status |= Status.output;
      if ((next & AUXILIARY) !== 0) status |= Status.auxiliary;
      if ((next & TIMEOUT) !== 0) status |= Status.timeout;
    }
    return status;
  }

  #readData(): number {
    const count = this.#word(W.count);
    if (count === 0) return this.#word(W.last);
    const value = this.#peek() & 0xff;
    this.#words[W.last] = value;
    this.#words[W.head] = (this.#word(W.head) + 1) % QUEUE;
    this.#words[W.count] = count - 1;
    // Both lines fall before one rises for the next byte: ISA interrupts are edges.
    this.#host.irq1.set(0);
    this.#host.irq12.set(0);
    this.#update();
    return value;
  }

  #writeData(value: number): void {
    const awaiting = this.#word(W.awaiting);
    this.#words[W.awaiting] = 0;
    this.#words[W.status] = 0;
    switch (awaiting) {
      case Command.writeConfig:
        this.#words[W.config] = value & 0x7f;
        this.#update();
        break;
      case Command.writeOutputPort:
        this.#writeOutputPort(value);
        break;
      case Command.writeKeyboardBuffer:
        this.#queue(value);
        break;
      case Command.writeAuxiliaryBuffer:
        this.#queue(value | AUXILIARY);
        break;
      case Command.writeAuxiliary:
        this.#queue(RESEND | AUXILIARY | TIMEOUT);
        break;
      default:
        // Writing to the keyboard turns its interface on.
        this.#words[W.config] = this.#word(W.config) & ~Config.keyboardOff;
        this.#keyboard.receive(value, (this.#word(W.config) & Config.translate) !== 0);
    }
  }

  #command(value: number): void {
    this.#words[W.status] = Status.command;
    this.#words[W.awaiting] = 0;
    switch (value) {
      case Command.readConfig:
        this.#queue(this.#word(W.config));
        break;
      case Command.writeConfig:
      case Command.writeOutputPort:
      case Command.writeKeyboardBuffer:
      case Command.writeAuxiliaryBuffer:
      case Command.writeAuxiliary:
        this.#words[W.awaiting] = value;
        break;
      case Command.auxiliaryDisable:
        this.#configure(Config.auxiliaryOff, 0);
        break;
      case Command.auxiliaryEnable:
        this.#configure(0, Config.auxiliaryOff);
        break;
      case Command.keyboardDisable:
        this.#configure(Config.keyboardOff, 0);
        break;
      case Command.keyboardEnable:
        this.#configure(0, Config.keyboardOff);
        break;
      case Command.selfTest:
        this.#words[W.count] = 0;
        this.#configure(Config.system, 0);
        this.#queue(SELF_TEST_PASSED);
        break;
      case Command.auxiliaryTest:
      case Command.keyboardTest:
        this.#queue(INTERFACE_OK);
        break;
      case Command.readInputPort:
        this.#queue(INPUT_PORT);
        break;
      case Command.readOutputPort:
        this.#queue(this.#word(W.outputPort));
        break;
      case Command.disableA20:
        this.#writeOutputPort(this.#word(W.outputPort) & ~OutputPort.a20);
        break;
      case Command.enableA20:
        this.#writeOutputPort(this.#word(W.outputPort) | OutputPort.a20);
        break;
      default:
        // Pulses the output lines whose bits are 0; bit 0 is the processor's reset. Others do nothing.
        if (value >= Command.pulse && (value & OutputPort.notReset) === 0) this.#host.reset();
    }
  }

  #configure(set: number, clear: number): void {
    this.#words[W.config] = (this.#word(W.config) & ~clear) | set;
    this.#update();
  }

  /** Not modelled: the A20 gate itself. The bit reads back; address line 20 always works. */
  #writeOutputPort(value: number): void {
    this.#words[W.outputPort] = value | OutputPort.notReset;
    if ((value & OutputPort.notReset) === 0) this.#host.reset();
  }

  /** Drops the byte when the guest has left the queue full. */
  #queue(entry: number): void {
    const count = this.#word(W.count);
    if (count >= QUEUE) return;
    this.#words[W.queue + ((this.#word(W.head) + count) % QUEUE)] = entry;
    this.#words[W.count] = count + 1;
    this.#update();
  }

  #peek(): number {
    return this.#word(W.queue + this.#word(W.head));
  }

  #update(): void {
    const config = this.#word(W.config);
    const full = this.#word(W.count) > 0;
    const auxiliary = full && (this.#peek() & AUXILIARY) !== 0;
    this.#host.irq1.set(full && !auxiliary && (config & Config.keyboardIrq) !== 0 ? 1 : 0);
    this.#host.irq12.set(auxiliary && (config & Config.auxiliaryIrq) !== 0 ? 1 : 0);
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }
}
