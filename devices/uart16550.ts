/**
 * 16550A UART: the chip alone. Ports and interrupt number belong to whoever attaches it.
 *
 * Bytes travel through two rings in shared memory; the chip's transmit FIFO is the output ring. Sending takes no time, so
 * THR is empty again at once, unless the ring is full: then it stays full until the reader catches up, and nothing is lost.
 *
 * [16550] National Semiconductor PC16550D, June 1995, tables I to V and section 8
 */
import type { SharedArena } from "../shared/arena.js";
import { ByteRing } from "../shared/byte-ring.js";
import type { AccessSize, IoHandler, IrqLine } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { BytePorts } from "./byte-ports.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

export interface Uart16550Host {
  readonly irq: IrqLine;
  /** `output` was empty and is not any more. Called under the lock, by a vCPU's thread. */
  transmit(): void;
  /** `input` ran empty: more can be pushed. Called under the lock. */
  receivable(): void;
}

/** Bytes that wait in each direction. */
const OUTPUT_BYTES = 16_384;
const INPUT_BYTES = 4096;
const FIFO_BYTES = 16;
export const UART_PORTS = 8;

const Register = { data: 0, ier: 1, iirFcr: 2, lcr: 3, mcr: 4, lsr: 5, msr: 6, scratch: 7 } as const;
/** [16550] table II, interrupt enable */
const Ier = { received: 0x01, transmit: 0x02, line: 0x04, modem: 0x08, writable: 0x0f } as const;
/** [16550] table III, interrupt identification */
const Iir = {
  none: 0x01,
  modem: 0x00,
  transmit: 0x02,
  received: 0x04,
  line: 0x06,
  timeout: 0x0c,
  fifos: 0xc0,
} as const;
/** [16550] 8.6.4, FIFO control */
const Fcr = { enable: 0x01, clearReceive: 0x02 } as const;
const TRIGGERS = [1, 4, 8, 14] as const;
const DLAB = 0x80;
/** [16550] table II, modem control */
const Mcr = { dtr: 0x01, rts: 0x02, out1: 0x04, out2: 0x08, loop: 0x10, writable: 0x1f } as const;
/** [16550] 8.6.3, line status */
const Lsr = { ready: 0x01, overrun: 0x02, break: 0x10, thrEmpty: 0x20, idle: 0x40, errors: 0x1e } as const;
/** [16550] 8.6.8, modem status */
const Msr = { ringEnded: 0x04, cts: 0x10, dsr: 0x20, ring: 0x40, carrier: 0x80, deltas: 0x0f } as const;
/** What a connected terminal shows. */
const CONNECTED = Msr.carrier | Msr.dsr | Msr.cts;

/** `thrBlocked`: THR was found full, and its becoming empty is an event; `thrEvent`: that event awaits the guest; `errors`: LSR's error bits. */
const W = words([
  "ier",
  "fcr",
  "lcr",
  "mcr",
  "errors",
  "msr",
  "scratch",
  "dll",
  "dlm",
  "thrBlocked",
  "thrEvent",
  "head",
  "count",
  "irq",
]);
const STATE_WORDS = 14;
const VERSION = 1;

export class Uart16550 implements IoHandler {
  /** What the guest sent. The reader drains it, then calls `transmitted()`. */
  readonly output: ByteRing;
  /** What the guest will receive. The writer pushes, then calls `receive()`. */
  readonly input: ByteRing;
  readonly #host: Uart16550Host;
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #fifo: Uint8Array<SharedArrayBuffer>;
  readonly #ports: BytePorts;

  constructor(arena: SharedArena, host: Uart16550Host) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(STATE_WORDS);
    this.#fifo = arena.uint8(FIFO_BYTES);
    this.output = new ByteRing(arena, OUTPUT_BYTES);
    this.input = new ByteRing(arena, INPUT_BYTES);
    this.#ports = new BytePorts(this.#lock, UART_PORTS, {
      read: (offset) => this.#read(offset),
      write: (offset, value) => {
        this.#write(offset, value);
      },
    });
  }

  /** The rings keep what is in them: it is on the wire already. */
  reset(): void {
    this.#lock.hold(() => {
      this.#words.fill(0);
      this.#words[W.msr] = CONNECTED;
      this.#words[W.dll] = 12; // 9600 baud, as firmware leaves it
      this.#host.irq.set(0);
    });
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words, this.#fifo);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words, this.#fifo);
    this.receive();
  }

  read(offset: number, size: AccessSize): number {
    return this.#ports.read(offset, size);
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.#ports.write(offset, size, value);
  }

  /** Bytes were pushed to `input`. */
  receive(): void {
    this.#lock.hold(() => {
      this.#fill();
      this.#update();
    });
  }

  /** Bytes were taken from `output`: THR may be empty again. */
  transmitted(): void {
    this.#lock.hold(() => {
      if (this.#word(W.thrBlocked) === 0 || !this.#thrEmpty()) return;
      this.#words[W.thrBlocked] = 0;
      this.#words[W.thrEvent] = 1;
      this.#update();
    });
  }

  /** The line goes to break: the guest receives a zero byte with the break flag. */
  sendBreak(): void {
    this.#lock.hold(() => {
      this.#words[W.errors] = this.#word(W.errors) | Lsr.break;
      this.#store(0);
      this.#update();
    });
  }

  #read(offset: number): number {
    const dlab = (this.#word(W.lcr) & DLAB) !== 0;
    switch (offset) {
      case Register.data:
        return dlab ? this.#word(W.dll) : this.#take();
      case Register.ier:
        return this.#word(dlab ? W.dlm : W.ier);
      case Register.iirFcr:
        return this.#identify();
      case Register.lcr:
        return this.#word(W.lcr);
      case Register.mcr:
        return this.#word(W.mcr);
      case Register.lsr:
        return this.#readLineStatus();
      case Register.msr: {
        const value = this.#word(W.msr);
        this.#words[W.msr] = value & ~Msr.deltas;
        this.#update();
        return value;
      }
      default:
        return this.#word(W.scratch);
    }
  }

  #write(offset: number, value: number): void {
    const dlab = (this.#word(W.lcr) & DLAB) !== 0;
    switch (offset) {
      case Register.data:
        if (dlab) this.#words[W.dll] = value;
        else this.#send(value);
        break;
      case Register.ier:
        if (dlab) this.#words[W.dlm] = value;
        else this.#writeIer(value & Ier.writable);
        break;
      case Register.iirFcr:
        this.#writeFcr(value);
        break;
      case Register.lcr:
        this.#words[W.lcr] = value;
        break;
      case Register.mcr:
        this.#words[W.mcr] = value & Mcr.writable;
        this.#updateModem();
        this.#update();
        break;
      case Register.scratch:
        this.#words[W.scratch] = value;
        break;
      default: // LSR and MSR are for factory tests. [16550] 8.6.3
        break;
    }
  }

  #send(value: number): void {
    const ier = this.#word(W.ier);
    // The event ends with the write and comes again once THR is empty: the line must show an edge in between.
    this.#words[W.thrEvent] = 0;
    if ((ier & Ier.transmit) !== 0) this.#update();
    if ((this.#word(W.mcr) & Mcr.loop) !== 0) {
      this.#store(value);
    } else if (this.output.push(value) && this.output.length === 1) {
      // Looked at after the push: either the reader sees this byte before it sleeps, or we see that it may sleep.
      this.#host.transmit();
    }
    if (this.#thrEmpty()) this.#words[W.thrEvent] = 1;
    else this.#words[W.thrBlocked] = 1;
    // Polling drivers, which have interrupts off, end here.
    if (ier !== 0) this.#update();
  }

  /** Room for a whole FIFO: that is what a driver sends once it has seen THR empty. */
  #thrEmpty(): boolean {
    return this.output.free >= FIFO_BYTES;
  }

  #writeIer(value: number): void {
    const rising = value & ~this.#word(W.ier);
    this.#words[W.ier] = value;
    // Enabling the interrupt while THR is empty raises it. [16550] 8.6.6 and driver tests rely on it
    if ((rising & Ier.transmit) !== 0 && this.#thrEmpty()) this.#words[W.thrEvent] = 1;
    this.#update();
  }

  #writeFcr(value: number): void {
    const toggled = ((value ^ this.#word(W.fcr)) & Fcr.enable) !== 0;
    // The other bits count only together with the enable bit. [16550] 8.6.4
    this.#words[W.fcr] = (value & Fcr.enable) !== 0 ? value & 0xc9 : 0;
    if (toggled || (value & Fcr.clearReceive) !== 0) {
      this.#words[W.head] = 0;
      this.#words[W.count] = 0;
    }
    this.#fill();
    this.#update();
  }

  #readLineStatus(): number {
    const empty = this.#thrEmpty() ? Lsr.thrEmpty | Lsr.idle : 0;
    // Somebody waits for THR: its becoming empty must be announced.
    if (empty === 0) this.#words[W.thrBlocked] = 1;
    const errors = this.#word(W.errors);
    const value = errors | empty | (this.#word(W.count) > 0 ? Lsr.ready : 0);
    if (errors !== 0) {
      this.#words[W.errors] = 0;
      this.#update();
    }
    return value;
  }

  #identify(): number {
    const cause = this.#cause();
    const fifos = (this.#word(W.fcr) & Fcr.enable) !== 0 ? Iir.fifos : 0;
    if (cause === Iir.transmit) {
      this.#words[W.thrEvent] = 0;
      this.#update();
    }
    return cause | fifos;
  }

  /** The interrupt of highest priority. [16550] table III */
  #cause(): number {
    const ier = this.#word(W.ier);
    if ((ier & Ier.line) !== 0 && (this.#word(W.errors) & Lsr.errors) !== 0) return Iir.line;
    if ((ier & Ier.received) !== 0 && this.#word(W.count) > 0) {
      // Not modelled: the four character times before the timeout. Data below the trigger level times out at once.
      return this.#word(W.count) >= this.#trigger() ? Iir.received : Iir.timeout;
    }
    if ((ier & Ier.transmit) !== 0 && this.#word(W.thrEvent) !== 0) return Iir.transmit;
    if ((ier & Ier.modem) !== 0 && (this.#word(W.msr) & Msr.deltas) !== 0) return Iir.modem;
    return Iir.none;
  }

  #trigger(): number {
    const fcr = this.#word(W.fcr);
    return (fcr & Fcr.enable) === 0 ? 1 : (TRIGGERS[fcr >> 6] ?? 1);
  }

  #capacity(): number {
    return (this.#word(W.fcr) & Fcr.enable) === 0 ? 1 : FIFO_BYTES;
  }

  #take(): number {
    const count = this.#word(W.count);
    if (count === 0) return 0;
    const head = this.#word(W.head);
    const value = this.#fifo[head] ?? 0;
    this.#words[W.head] = (head + 1) % FIFO_BYTES;
    this.#words[W.count] = count - 1;
    this.#fill();
    this.#update();
    return value;
  }

  #store(value: number): void {
    const count = this.#word(W.count);
    if (count >= this.#capacity()) {
      this.#words[W.errors] = this.#word(W.errors) | Lsr.overrun;
      return;
    }
    this.#fifo[(this.#word(W.head) + count) % FIFO_BYTES] = value;
    this.#words[W.count] = count + 1;
  }

  /** Moves what waits on the wire into the FIFO, as far as it goes; in loopback the wire is cut off. */
  #fill(): void {
    if ((this.#word(W.mcr) & Mcr.loop) !== 0) return;
    while (this.#word(W.count) < this.#capacity()) {
      const value = this.input.shift();
      if (value < 0) return;
      this.#store(value);
      if (this.input.length === 0) this.#host.receivable();
    }
  }

  #updateModem(): void {
    const mcr = this.#word(W.mcr);
    let lines: number = CONNECTED;
    if ((mcr & Mcr.loop) !== 0) {
      // [16550] 8.6.7, bit 4: outputs come back as inputs.
      lines =
        ((mcr & Mcr.rts) !== 0 ? Msr.cts : 0) |
        ((mcr & Mcr.dtr) !== 0 ? Msr.dsr : 0) |
        ((mcr & Mcr.out1) !== 0 ? Msr.ring : 0) |
        ((mcr & Mcr.out2) !== 0 ? Msr.carrier : 0);
    }
    const old = this.#word(W.msr);
    let deltas = ((old ^ lines) & 0xf0) >> 4;
    // Ring indication counts only when it ends. [16550] 8.6.8, TERI
    if ((lines & Msr.ring) !== 0) deltas &= ~Msr.ringEnded;
    this.#words[W.msr] = lines | (old & Msr.deltas) | deltas;
  }

  /** OUT2, which gates the interrupt on a PC's card, is left out: some small kernels never set it. */
  #update(): void {
    const level = this.#cause() === Iir.none ? 0 : 1;
    if (this.#words[W.irq] === level) return;
    this.#words[W.irq] = level;
    this.#host.irq.set(level);
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }
}
