/**
 * MSI-X: a capability in configuration space, and in a BAR a table of messages and the bits of those that wait.
 *
 * Entries are behind the table's own lock, and messages go out after its release: order is host bridge or device, then
 * this; nothing is taken below.
 *
 * [PCI30] PCI Local Bus Specification 3.0, 6.8.2 "MSI-X capability and table structures"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize, IoHandler } from "../../shared/io.js";
import { Lock } from "../../shared/lock.js";
import { restoreChip, saveChip } from "../chip-state.js";
import type { ChipState } from "../chip-state.js";
import { CapabilityId } from "./capabilities.js";
import type { PciCapability } from "./capabilities.js";
import { Command } from "./config-space.js";
import type { PciRegister } from "./pci-register.js";
import { pirqOfMessage } from "./msi-sink.js";
import type { MessageSource, MsiSink } from "./msi-sink.js";

export interface MsixParts {
  readonly sink: MsiSink;
  /** 1 to 2048. [PCI30] 6.8.2.3 */
  readonly vectors: number;
  /** The BAR that {@link MsixTable} is the handler of, or a part of the handler. */
  readonly bar: number;
  /** Where in the BAR the table is, a multiple of 8; 0 when left out. */
  readonly tableOffset?: number;
  /** Where the pending bits are, a multiple of 8; right after the table when left out. */
  readonly pbaOffset?: number;
}

/** [PCI30] figure 6-10 */
const Register = { control: 2, table: 4, pba: 8 } as const;
const CAPABILITY_LENGTH = 12;
/** [PCI30] 6.8.2.3 */
const Control = { functionMask: 0x4000, enable: 0x8000 } as const;
/** Dwords of an entry. [PCI30] figure 6-11 */
const Entry = { low: 0, high: 1, data: 2, control: 3, words: 4 } as const;
/** Bit 0 of an entry's vector control. [PCI30] 6.8.2.9 */
const MASKED = 0x1;
const ENTRY_BYTES = 16;
const MAX_VECTORS = 2048;
/** Index of `#control`: whether messages may be sent at all, and whether all are masked. */
const ENABLED = 0;
const ALL_MASKED = 1;
const VERSION = 1;

export class MsixTable implements PciCapability, MessageSource, IoHandler {
  readonly id = CapabilityId.msix;
  readonly length = CAPABILITY_LENGTH;
  readonly registers: readonly PciRegister[];
  readonly vectors: number;
  /** Bytes of the BAR up to the end of table and pending bits. */
  readonly end: number;
  readonly #sink: MsiSink;
  readonly #tableOffset: number;
  readonly #pbaOffset: number;
  readonly #lock: Lock;
  readonly #entries: Int32Array<SharedArrayBuffer>;
  /** A bit for each vector that has something to send and must not. */
  readonly #pending: Int32Array<SharedArrayBuffer>;
  /** What the capability's control and the command register say. */
  readonly #control: Int32Array<SharedArrayBuffer>;
  #bytes: Uint8Array<SharedArrayBuffer>;

  /** @throws RangeError for a number of vectors that cannot be */
  constructor(arena: SharedArena, parts: MsixParts) {
    const { sink, vectors, bar } = parts;
    if (!(vectors >= 1 && vectors <= MAX_VECTORS)) throw new RangeError(`Cannot make a table of ${vectors} vectors`);
    this.#sink = sink;
    this.vectors = vectors;
    this.#tableOffset = parts.tableOffset ?? 0;
    const tableEnd = this.#tableOffset + vectors * ENTRY_BYTES;
    this.#pbaOffset = parts.pbaOffset ?? tableEnd;
    this.#lock = new Lock(arena.int32(1));
    this.#entries = arena.int32(vectors * Entry.words);
    // The pending bits are read in pairs of dwords. [PCI30] 6.8.2.10
    this.#pending = arena.int32(Math.ceil(vectors / 64) * 2);
    this.end = Math.max(tableEnd, this.#pbaOffset + this.#pending.length * 4);
    this.#control = arena.int32(2);
    this.#bytes = arena.uint8(CAPABILITY_LENGTH);
    this.registers = [
      { offset: Register.control, size: 2, initial: vectors - 1, writable: Control.functionMask | Control.enable },
      { offset: Register.table, size: 4, initial: this.#tableOffset | bar, writable: 0 },
      { offset: Register.pba, size: 4, initial: this.#pbaOffset | bar, writable: 0 },
    ];
    sink.enlist(this);
  }

  /** True while the guest wants messages; {@link notify} does nothing otherwise. */
  get enabled(): boolean {
    return Atomics.load(this.#control, ENABLED) !== 0;
  }

  /** Every vector masked, nothing pending. [PCI30] 6.8.2.9. The configuration space resets the capability. */
  reset(): void {
    this.#entries.fill(0);
    for (let vector = 0; vector < this.vectors; vector++) this.#entries[vector * Entry.words + Entry.control] = MASKED;
    this.#pending.fill(0);
  }

  save(): ChipState {
    return saveChip(VERSION, this.#entries, this.#pending);
  }

  /** Before the configuration space's own restore, which says again what is enabled. */
  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#entries, this.#pending);
  }

  attach(bytes: Uint8Array<SharedArrayBuffer>): void {
    this.#bytes = bytes;
  }

  replacesIntx(): boolean {
    return (this.#controlBits() & Control.enable) !== 0;
  }

  changed(command: number): void {
    const control = this.#controlBits();
    this.#lock.acquire();
    try {
      const enabled = (control & Control.enable) !== 0 && (command & Command.master) !== 0;
      Atomics.store(this.#control, ENABLED, enabled ? 1 : 0);
      this.#control[ALL_MASKED] = (control & Control.functionMask) !== 0 ? 1 : 0;
    } finally {
      this.#lock.release();
    }
    this.#sendWaiting();
  }

  /** Sends the message of `vector`, or remembers it while it is masked. Numbers that no vector has do nothing. Any thread. */
  notify(vector: number): void {
    if (!(vector >= 0 && vector < this.vectors)) return;
    const entry = vector * Entry.words;
    let low: number;
    let high: number;
    let data: number;
    this.#lock.acquire();
    try {
      if (this.#control[ENABLED] === 0) return;
      if (this.#isMasked(vector)) {
        this.#pending[vector >> 5] = (this.#pending[vector >> 5] ?? 0) | (1 << (vector & 31));
        return;
      }
      low = (this.#entries[entry + Entry.low] ?? 0) >>> 0;
      high = (this.#entries[entry + Entry.high] ?? 0) >>> 0;
      data = (this.#entries[entry + Entry.data] ?? 0) >>> 0;
    } finally {
      this.#lock.release();
    }
    this.#sink.signal(low, high, data);
  }

  /** `offset` counts from the BAR's start. What is neither table nor pending bits reads as 0. */
  read(offset: number, size: AccessSize): number {
    const skip = offset & 3;
    const word = this.#readWord(offset - skip) >>> (skip * 8);
    return size === 4 ? word : word & ((1 << (size * 8)) - 1);
  }

  /** Narrow writes change a part of a dword, though guests should make none. Writes to the pending bits go nowhere. */
  write(offset: number, size: AccessSize, value: number): void {
    const skip = offset & 3;
    const at = offset - skip - this.#tableOffset;
    if (at < 0 || at >= this.vectors * ENTRY_BYTES) return;
    const mask = size === 4 ? -1 : ((1 << (size * 8)) - 1) << (skip * 8);
    const vector = Math.floor(at / ENTRY_BYTES);
    this.#lock.acquire();
    try {
      const before = this.#pirqOf(vector);
      const word = at / 4;
      this.#entries[word] = ((this.#entries[word] ?? 0) & ~mask) | ((value << (skip * 8)) & mask);
      const pirq = this.#pirqOf(vector);
      if (pirq !== 0 && pirq !== before && this.#sink.isPirqBound(pirq)) this.#mask(vector, false);
    } finally {
      this.#lock.release();
    }
    this.#sendIfWaiting(vector);
  }

  pirqChanged(pirq: number, bound: boolean): void {
    this.#lock.acquire();
    try {
      for (let vector = 0; vector < this.vectors; vector++) {
        if (this.#pirqOf(vector) === pirq) this.#mask(vector, !bound);
      }
    } finally {
      this.#lock.release();
    }
    if (bound) this.#sendWaiting();
  }

  holdsPirq(pirq: number): boolean {
    this.#lock.acquire();
    let held = false;
    for (let vector = 0; vector < this.vectors && !held; vector++) held = this.#pirqOf(vector) === pirq;
    this.#lock.release();
    return held;
  }

  #controlBits(): number {
    return ((this.#bytes[Register.control + 1] ?? 0) << 8) | (this.#bytes[Register.control] ?? 0);
  }

  #readWord(offset: number): number {
    const inTable = offset - this.#tableOffset;
    if (inTable >= 0 && inTable < this.vectors * ENTRY_BYTES) return (this.#entries[inTable / 4] ?? 0) >>> 0;
    const inPba = offset - this.#pbaOffset;
    return inPba < 0 ? 0 : (this.#pending[inPba / 4] ?? 0) >>> 0;
  }

  /** Under the lock, as the three that follow. */
  #isMasked(vector: number): boolean {
    return (
      this.#control[ALL_MASKED] !== 0 || ((this.#entries[vector * Entry.words + Entry.control] ?? 0) & MASKED) !== 0
    );
  }

  #mask(vector: number, masked: boolean): void {
    const at = vector * Entry.words + Entry.control;
    const control = this.#entries[at] ?? 0;
    this.#entries[at] = masked ? control | MASKED : control & ~MASKED;
  }

  #pirqOf(vector: number): number {
    const entry = vector * Entry.words;
    const low = this.#entries[entry + Entry.low] ?? 0;
    const high = this.#entries[entry + Entry.high] ?? 0;
    return pirqOfMessage(low, high, this.#entries[entry + Entry.data] ?? 0);
  }

  #sendWaiting(): void {
    for (let word = 0; word < this.#pending.length; word++) {
      if (Atomics.load(this.#pending, word) === 0) continue;
      for (let bit = 0; bit < 32; bit++) this.#sendIfWaiting(word * 32 + bit);
    }
  }

  /** What was pending while masked goes out once the mask is off. */
  #sendIfWaiting(vector: number): void {
    const word = vector >> 5;
    const bit = 1 << (vector & 31);
    if ((Atomics.load(this.#pending, word) & bit) === 0) return;
    this.#lock.acquire();
    try {
      const pending = this.#pending[word] ?? 0;
      if ((pending & bit) === 0 || this.#control[ENABLED] === 0 || this.#isMasked(vector)) return;
      this.#pending[word] = pending & ~bit;
    } finally {
      this.#lock.release();
    }
    this.notify(vector);
  }
}
