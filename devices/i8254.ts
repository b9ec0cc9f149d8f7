/**
 * 8254 programmable interval timer with port 0x61, its gate and speaker register.
 *
 * Counters are never stepped: what a guest reads follows from the time at which counting began. Channel 0's rising edges
 * are the only events, and come through `arm()` and `expire()`.
 *
 * [8254] Intel 8254 Programmable Interval Timer, 231164-005
 * [PIIX3] Intel 82371SB, 290550-002, 2.5.5 "NMI status and control register"
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { Device, IrqLine, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { BytePorts } from "./byte-ports.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";
import { CLOCK_HZ, initialOutput, outputAt, risingEdge, valueAt } from "./i8254-counter.js";

export interface I8254Host {
  /** Time of the machine, in ns. */
  nowNs(): number;
  /** Wants `expire()` at `deadlineNs`, Infinity for never; replaces what was wanted before. Called under the lock. */
  arm(deadlineNs: number): void;
  readonly irq0: IrqLine;
}

const CHANNELS = 3;
const SPEAKER = 2;
const CONTROL = 3;
/** Shortest distance between two interrupts, in ns: a guest that asks for more gets this. */
const MIN_GAP_NS = 50_000;
/** Periods that are made up for when we came late; older ones are lost. */
const MAX_BEHIND = 8;
/** The DRAM refresh bit changes this often, in ns. [PIIX3] 2.5.5 */
const REFRESH_NS = 15_085;
const NS = 1e9;

/** Which bytes of a count are accessed. [8254] figure 7, RW */
const Access = { latch: 0, low: 1, high: 2, both: 3 } as const;
/** [8254] "Read-back command" */
const ReadBack = { command: 0xc0, noCount: 0x20, noStatus: 0x10 } as const;
/** Status byte. [8254] figure 12 */
const Status = { output: 0x80, nullCount: 0x40 } as const;
/** Port 0x61. [PIIX3] 2.5.5 */
const Port61 = { gate: 0x01, writable: 0x0f, refresh: 0x10, output: 0x20 } as const;

/**
 * Words of one channel. `control`: low six bits of the control word; `start`: when counting began, ns; `running`: a count
 * was loaded and, where the mode wants one, a trigger came; `latchLeft`: bytes of the latch still to be read.
 */
const W = words([
  "control",
  "count",
  "loaded",
  "running",
  "start",
  "gate",
  "pausedNs",
  "writeHigh",
  "writeLow",
  "readHigh",
  "latch",
  "latchLeft",
  "statusLatched",
  "status",
]);
const CHANNEL_WORDS = 14;
/** Channel 0: edges given so far in this run, and when the next one is due (0: none). */
const EDGES = CHANNELS * CHANNEL_WORDS;
const DEADLINE = EDGES + 1;
const PORT61 = EDGES + 2;
const STATE_WORDS = EDGES + 3;
const VERSION = 1;

export class I8254 implements Device {
  readonly name = "i8254";
  readonly ports: readonly PortRange[];
  readonly #host: I8254Host;
  readonly #lock: Lock;
  readonly #words: Float64Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, host: I8254Host) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.float64(STATE_WORDS);
    this.ports = [
      {
        base: port(0x40),
        length: 4,
        handler: new BytePorts(this.#lock, 4, {
          read: (offset) => (offset === CONTROL ? 0xff : this.#readCounter(offset)),
          write: (offset, value) => {
            if (offset === CONTROL) this.#writeControl(value);
            else this.#writeCounter(offset, value);
          },
        }),
      },
      {
        base: port(0x61),
        length: 1,
        handler: new BytePorts(this.#lock, 1, {
          read: () => this.#readPort61(),
          write: (_offset, value) => {
            this.#words[PORT61] = value & Port61.writable;
            this.#setGate(SPEAKER, value & Port61.gate);
          },
        }),
      },
    ];
  }

  reset(): void {
    this.#lock.acquire();
    try {
      this.#words.fill(0);
      // Firmware's setting: mode 3, both bytes, nothing counts before a count is written.
      for (let channel = 0; channel < CHANNELS; channel++) {
        this.#set(channel, W.control, (Access.both << 4) | (3 << 1));
        this.#set(channel, W.gate, channel === SPEAKER ? 0 : 1);
      }
      this.#host.irq0.set(0);
      this.#schedule(0);
    } finally {
      this.#lock.release();
    }
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words);
    this.#schedule(this.#words[DEADLINE] ?? 0);
  }

  /** Gives channel 0's interrupt if it is due. Harmless when called early. */
  expire(nowNs: number): void {
    this.#lock.acquire();
    try {
      const deadline = this.#words[DEADLINE] ?? 0;
      if (deadline === 0) return;
      if (nowNs < deadline) {
        this.#host.arm(deadline);
        return;
      }
      // A pulse: the controllers see the rising edge wherever the line stood.
      this.#host.irq0.set(0);
      this.#host.irq0.set(1);
      this.#scheduleNext(deadline, nowNs);
    } finally {
      this.#lock.release();
    }
  }

  /** After the edge that was due at `deadline`. */
  #scheduleNext(deadline: number, nowNs: number): void {
    const mode = this.#mode(0);
    if (mode !== 2 && mode !== 3) {
      this.#schedule(0);
      return;
    }
    const count = this.#get(0, W.count);
    const due = Math.floor(this.#ticks(0, nowNs) / count);
    const given = Math.max((this.#words[EDGES] ?? 0) + 1, due - MAX_BEHIND);
    this.#words[EDGES] = given;
    const periodNs = (count * NS) / CLOCK_HZ;
    // Behind: at twice the rate, so that the guest can take each interrupt before the next comes. Counted from when this one
    // was due, or who always calls late would never catch up; but not all at once.
    const next = given < due ? Math.max(deadline + periodNs / 2, nowNs + periodNs / 4) : this.#edgeTime(given + 1);
    this.#schedule(Math.max(next, nowNs + MIN_GAP_NS));
  }

  #edgeTime(edge: number): number {
    return this.#get(0, W.start) + Math.ceil((risingEdge(this.#mode(0), this.#get(0, W.count), edge) * NS) / CLOCK_HZ);
  }

  #schedule(deadlineNs: number): void {
    this.#words[DEADLINE] = deadlineNs;
    this.#host.arm(deadlineNs === 0 ? Infinity : deadlineNs);
  }

  #writeControl(value: number): void {
    if (value >= ReadBack.command) {
      this.#readBack(value);
      return;
    }
    const channel = value >> 6;
    if (((value >> 4) & 3) === Access.latch) {
      this.#latchCount(channel);
      return;
    }
    // Mode bit 2 counts only for modes 4 and 5. [8254] figure 7
    const mode = (value & 0x0e) >= 0x0c ? value & ~0x08 : value;
    this.#set(channel, W.control, mode & 0x3f);
    for (const word of [W.loaded, W.writeHigh, W.readHigh, W.latchLeft, W.statusLatched]) {
      this.#set(channel, word, 0);
    }
    this.#stop(channel);
  }

  /** Nothing counts and OUT is as the mode has it before the first clock: a control word, and a first byte in mode 0. */
  #stop(channel: number): void {
    this.#set(channel, W.running, 0);
    if (channel !== 0) return;
    this.#host.irq0.set(initialOutput(this.#mode(0)));
    this.#schedule(0);
  }

  #readBack(value: number): void {
    for (let channel = 0; channel < CHANNELS; channel++) {
      if ((value & (2 << channel)) === 0) continue;
      if ((value & ReadBack.noCount) === 0) this.#latchCount(channel);
      if ((value & ReadBack.noStatus) !== 0 || this.#get(channel, W.statusLatched) !== 0) continue;
      const output = this.#output(channel) === 1 ? Status.output : 0;
      const empty = this.#get(channel, W.loaded) === 0 ? Status.nullCount : 0;
      this.#set(channel, W.status, output | empty | this.#get(channel, W.control));
      this.#set(channel, W.statusLatched, 1);
    }
  }

  /** A latched count stays until it is read. [8254] "Counter latch command" */
  #latchCount(channel: number): void {
    if (this.#get(channel, W.latchLeft) !== 0) return;
    this.#set(channel, W.latch, this.#value(channel));
    this.#set(channel, W.latchLeft, this.#access(channel) === Access.both ? 2 : 1);
  }

  #writeCounter(channel: number, value: number): void {
    const access = this.#access(channel);
    if (access === Access.both && this.#get(channel, W.writeHigh) === 0) {
      this.#set(channel, W.writeLow, value);
      this.#set(channel, W.writeHigh, 1);
      if (this.#mode(channel) === 0) this.#stop(channel);
      return;
    }
    this.#set(channel, W.writeHigh, 0);
    const low = access === Access.both ? this.#get(channel, W.writeLow) : 0;
    this.#load(channel, access === Access.low ? value : (value << 8) | low);
  }

  /** Not modelled: a new count in modes 2 and 3 waits for the end of the period; here it starts at once. */
  #load(channel: number, raw: number): void {
    const bcd = this.#bcd(channel);
    const count = bcd ? fromBcd(raw) : raw;
    this.#set(channel, W.count, count === 0 ? (bcd ? 10_000 : 0x1_0000) : count);
    this.#set(channel, W.loaded, 1);
    // Modes 1 and 5 wait for a rising gate. [8254] "Mode definitions"
    const mode = this.#mode(channel);
    if (mode !== 1 && mode !== 5) this.#start(channel);
  }

  #start(channel: number): void {
    const now = this.#host.nowNs();
    this.#set(channel, W.running, 1);
    this.#set(channel, W.start, now);
    this.#set(channel, W.pausedNs, 0);
    if (channel !== 0) return;
    const mode = this.#mode(0);
    this.#words[EDGES] = 0;
    this.#host.irq0.set(initialOutput(mode));
    this.#schedule(Math.max(this.#edgeTime(1), now + MIN_GAP_NS));
  }

  #setGate(channel: number, gate: number): void {
    if (this.#get(channel, W.gate) === gate) return;
    const mode = this.#mode(channel);
    const now = this.#host.nowNs();
    if (gate === 0) {
      this.#set(channel, W.pausedNs, now - this.#get(channel, W.start));
    } else if (mode === 0 || mode === 4) {
      this.#set(channel, W.start, now - this.#get(channel, W.pausedNs));
    } else if (this.#get(channel, W.loaded) !== 0) {
      this.#start(channel);
    }
    this.#set(channel, W.gate, gate);
  }

  #readCounter(channel: number): number {
    if (this.#get(channel, W.statusLatched) !== 0) {
      this.#set(channel, W.statusLatched, 0);
      return this.#get(channel, W.status);
    }
    const access = this.#access(channel);
    const left = this.#get(channel, W.latchLeft);
    if (left !== 0) {
      this.#set(channel, W.latchLeft, left - 1);
      const high = access === Access.high || (access === Access.both && left === 1);
      return (this.#get(channel, W.latch) >> (high ? 8 : 0)) & 0xff;
    }
    const high = access === Access.high || (access === Access.both && this.#get(channel, W.readHigh) !== 0);
    if (access === Access.both) this.#set(channel, W.readHigh, high ? 0 : 1);
    return (this.#value(channel) >> (high ? 8 : 0)) & 0xff;
  }

  #readPort61(): number {
    const refresh = Math.floor(this.#host.nowNs() / REFRESH_NS) % 2 === 1 ? Port61.refresh : 0;
    const output = this.#output(SPEAKER) === 1 ? Port61.output : 0;
    return (this.#words[PORT61] ?? 0) | refresh | output;
  }

  /** The counting element as the guest reads it, 16 bits. */
  #value(channel: number): number {
    const bcd = this.#bcd(channel);
    const count = this.#get(channel, W.count);
    const value =
      this.#get(channel, W.running) === 0
        ? count
        : valueAt(this.#mode(channel), count, this.#ticks(channel, this.#host.nowNs()));
    return bcd ? toBcd(((value % 10_000) + 10_000) % 10_000) : value & 0xffff;
  }

  #output(channel: number): 0 | 1 {
    const mode = this.#mode(channel);
    if (this.#get(channel, W.running) === 0) return initialOutput(mode);
    return outputAt(mode, this.#get(channel, W.count), this.#ticks(channel, this.#host.nowNs()));
  }

  /** Clocks counted since the start. A low gate stops modes 0 and 4 and holds 2 and 3 at their first clock. */
  #ticks(channel: number, nowNs: number): number {
    const mode = this.#mode(channel);
    let elapsed = nowNs - this.#get(channel, W.start);
    if (this.#get(channel, W.gate) === 0 && (mode === 0 || mode === 4)) elapsed = this.#get(channel, W.pausedNs);
    else if (this.#get(channel, W.gate) === 0 && (mode === 2 || mode === 3)) elapsed = 0;
    return Math.max(0, Math.floor((elapsed * CLOCK_HZ) / NS));
  }

  #mode(channel: number): number {
    return (this.#get(channel, W.control) >> 1) & 7;
  }

  #access(channel: number): number {
    return (this.#get(channel, W.control) >> 4) & 3;
  }

  #bcd(channel: number): boolean {
    return (this.#get(channel, W.control) & 1) !== 0;
  }

  #get(channel: number, word: number): number {
    return this.#words[channel * CHANNEL_WORDS + word] ?? 0;
  }

  #set(channel: number, word: number, value: number): void {
    this.#words[channel * CHANNEL_WORDS + word] = value;
  }
}

/** Digits above 9, which only a broken guest writes, count with their weight. */
function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  return (
    (Math.floor(value / 1000) << 12) |
    (Math.floor((value / 100) % 10) << 8) |
    (Math.floor((value / 10) % 10) << 4) |
    Math.floor(value % 10)
  );
}
