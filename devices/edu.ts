/**
 * QEMU's educational device, for who learns to write PCI drivers or tests one: a factorial, interrupts raised by hand as
 * INTx or MSI, and DMA between a buffer of its own and guest memory.
 *
 * Everything is done when the access that asks for it returns: the busy bits are never seen set. What a driver must wait
 * for there, it finds done.
 *
 * [EDU] qemu.git docs/specs/edu.rst
 */
import type { SharedArena } from "../shared/arena.js";
import { allOnes } from "../shared/io.js";
import type { AccessSize, IoHandler, IrqLine } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import type { GuestMemory } from "../shared/memory.js";
import { joinStates, restoreChip, restoreParts, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";
import { Command, ConfigSpace, Header } from "./pci/config-space.js";
import type { PciDecode, PciFunction } from "./pci/config-space.js";
import { IntxPin } from "./pci/intx-pin.js";
import { MsiCapability } from "./pci/msi.js";
import type { MsiSink } from "./pci/msi-sink.js";

export interface EduHost {
  readonly memory: Pick<GuestMemory, "read" | "write">;
  readonly messages: MsiSink;
  /** INTA of the slot. */
  readonly inta: IrqLine;
}

export interface EduOptions {
  /** Device number, 0..31. */
  readonly slot: number;
  /** Bits of a bus address that the device has: the low 28 by default. [EDU] "dma_mask" */
  readonly dmaMask?: number;
}

const BAR_BYTES = 0x10_0000;
/** [EDU] "MMIO area spec" */
const Register = {
  identity: 0x00,
  liveness: 0x04,
  factorial: 0x08,
  status: 0x20,
  interruptStatus: 0x24,
  raise: 0x60,
  acknowledge: 0x64,
  source: 0x80,
  sourceHigh: 0x84,
  destination: 0x88,
  destinationHigh: 0x8c,
  count: 0x90,
  countHigh: 0x94,
  command: 0x98,
} as const;
/** Version 1.0, and the device's name. */
const IDENTITY = 0x0100_00ed;
/** The status register: an interrupt when a factorial is done. */
const STATUS_INTERRUPT = 0x80;
/** Bits of the interrupt status that the device itself sets. */
const Cause = { factorial: 0x001, dma: 0x100 } as const;
const Dma = { run: 0x1, fromDevice: 0x2, interrupt: 0x4, writable: 0x7 } as const;
const BUFFER_START = 0x4_0000;
const BUFFER_BYTES = 4096;
const DEFAULT_DMA_MASK = 0x0fff_ffff;
const HIGH = 0x1_0000_0000;
const VERSION = 1;

const W = words([
  "liveness",
  "factorial",
  "status",
  "causes",
  "source",
  "sourceHigh",
  "destination",
  "destinationHigh",
  "count",
  "countHigh",
  "command",
]);
type Word = (typeof W)[keyof typeof W];

export class Edu implements PciFunction, IoHandler {
  readonly name: string;
  readonly slot: number;
  readonly function = 0;
  readonly #host: EduHost;
  readonly #dmaMask: number;
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #buffer: Uint8Array<SharedArrayBuffer>;
  readonly #intx: IntxPin;
  readonly #msi: MsiCapability;
  readonly #config: ConfigSpace;

  constructor(arena: SharedArena, options: EduOptions, host: EduHost) {
    this.#host = host;
    this.slot = options.slot;
    this.name = `edu-${options.slot}`;
    this.#dmaMask = options.dmaMask ?? DEFAULT_DMA_MASK;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(Object.keys(W).length);
    this.#buffer = arena.uint8(BUFFER_BYTES);
    this.#intx = new IntxPin(arena, host.inta);
    this.#msi = new MsiCapability(arena, { sink: host.messages });
    this.#config = new ConfigSpace(arena, {
      identity: {
        vendor: 0x1234,
        device: 0x11e8,
        revision: 0x10,
        classCode: 0x00_ff00,
        subsystemVendor: 0x1af4,
        subsystem: 0x1100,
        interruptPin: 1,
      },
      command: { initial: 0, writable: Command.memory | Command.master | Command.intxDisable },
      bars: [{ index: 0, kind: "mmio", length: BAR_BYTES, handler: this }],
      capabilities: [this.#msi],
      intx: this.#intx,
    });
  }

  reset(): void {
    this.#words.fill(0);
    this.#buffer.fill(0);
    this.#config.reset();
  }

  save(): ChipState {
    return joinStates(VERSION, [this.#config.save(), saveChip(VERSION, this.#words, this.#buffer)]);
  }

  restore(state: ChipState): void {
    restoreParts(state, VERSION, [
      (config) => {
        this.#config.restore(config);
      },
      (own) => {
        restoreChip(own, VERSION, this.#words, this.#buffer);
      },
    ]);
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): boolean {
    return this.#config.write(offset, size, value);
  }

  decodes(): readonly PciDecode[] {
    return this.#config.decodes();
  }

  /** Registers answer dwords only; the bus makes two of an access of 8 bytes. [EDU] */
  read(offset: number, size: AccessSize): number {
    if (size !== 4) return allOnes(size);
    switch (offset) {
      case Register.identity:
        return IDENTITY;
      case Register.liveness:
        return this.#load(W.liveness);
      case Register.factorial:
        return this.#load(W.factorial);
      case Register.status:
        return this.#load(W.status);
      case Register.interruptStatus:
        return this.#load(W.causes);
      default: {
        const word = dmaWord(offset);
        return word === undefined ? allOnes(size) : this.#load(word);
      }
    }
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (size !== 4) return;
    this.#lock.acquire();
    try {
      this.#writeRegister(offset, value);
    } finally {
      this.#lock.release();
    }
  }

  #writeRegister(offset: number, value: number): void {
    switch (offset) {
      case Register.liveness:
        this.#store(W.liveness, ~value);
        break;
      case Register.factorial:
        this.#store(W.factorial, factorial(value));
        if ((this.#load(W.status) & STATUS_INTERRUPT) !== 0) this.#raise(Cause.factorial);
        break;
      case Register.status:
        this.#store(W.status, value & STATUS_INTERRUPT);
        break;
      case Register.raise:
        this.#raise(value);
        break;
      case Register.acknowledge:
        this.#store(W.causes, this.#load(W.causes) & ~value);
        if (this.#load(W.causes) === 0) this.#intx.set(0);
        break;
      case Register.command:
        this.#store(W.command, value & Dma.writable & ~Dma.run);
        if ((value & Dma.run) !== 0) this.#transfer(value);
        break;
      default: {
        const word = dmaWord(offset);
        if (word === undefined) break;
        this.#store(word, value);
        // A lone dword to the low half stands for all 64 bits; of 8 bytes, the high half follows.
        if (offset % 8 === 0) this.#store(word + 1, 0);
      }
    }
  }

  /** Each raise sends a message; the line stays up until everything is acknowledged. */
  #raise(causes: number): void {
    this.#store(W.causes, this.#load(W.causes) | causes);
    if (this.#load(W.causes) === 0) return;
    this.#msi.notify(0);
    this.#intx.set(1);
  }

  /** One transfer. What is outside the buffer or guest memory, or without bus mastering, moves nothing. */
  #transfer(command: number): void {
    const out = (command & Dma.fromDevice) !== 0;
    const start = this.#load64(out ? W.source : W.destination) - BUFFER_START;
    const length = this.#load64(W.count);
    const master = (this.#config.read(Header.command, 2) & Command.master) !== 0;
    if (master && start >= 0 && start + length <= BUFFER_BYTES) {
      const bytes = this.#buffer.subarray(start, start + length);
      const address = this.#busAddress(out ? W.destination : W.source);
      if (out) this.#host.memory.write(address, bytes);
      else this.#host.memory.read(address, bytes);
    }
    if ((command & Dma.interrupt) !== 0) this.#raise(Cause.dma);
  }

  #busAddress(word: number): number {
    const low = (this.#load(word) & (this.#dmaMask % HIGH)) >>> 0;
    const high = (this.#load(word + 1) & Math.floor(this.#dmaMask / HIGH)) >>> 0;
    return high * HIGH + low;
  }

  /** Beyond 2^53 it is not exact, and too large in any case. */
  #load64(word: number): number {
    return this.#load(word + 1) * HIGH + this.#load(word);
  }

  #load(word: number): number {
    return Atomics.load(this.#words, word) >>> 0;
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, word, value | 0);
  }
}

/** The word of a DMA register, low and high halves one after the other. */
function dmaWord(offset: number): Word | undefined {
  switch (offset) {
    case Register.source:
      return W.source;
    case Register.sourceHigh:
      return W.sourceHigh;
    case Register.destination:
      return W.destination;
    case Register.destinationHigh:
      return W.destinationHigh;
    case Register.count:
      return W.count;
    case Register.countHigh:
      return W.countHigh;
    case Register.command:
      return W.command;
    default:
      return undefined;
  }
}

/** Modulo 2^32. From 34 on there are 32 twos among the factors, so that the result is 0: no guest makes us count on. */
function factorial(value: number): number {
  let result = 1;
  for (let factor = value; factor > 1 && result !== 0; factor--) result = Math.imul(result, factor);
  return result;
}
