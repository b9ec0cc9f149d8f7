/**
 * MSI capability: up to 32 vectors that share an address, each masked on its own.
 *
 * The registers are bytes of configuration space, written under the host bridge's lock; senders use a copy under the
 * capability's own lock. Messages go out after its release, so its order is: host bridge or device, then this; nothing
 * is taken below.
 *
 * [PCI30] PCI Local Bus Specification 3.0, 6.8.1 "MSI capability structure"
 */
import type { SharedArena } from "../../shared/arena.js";
import { Lock } from "../../shared/lock.js";
import { words } from "../chip-state.js";
import { CapabilityId } from "./capabilities.js";
import type { PciCapability } from "./capabilities.js";
import { Command } from "./config-space.js";
import type { PciRegister } from "./pci-register.js";
import { pirqOfMessage } from "./msi-sink.js";
import type { MessageSource, MsiSink } from "./msi-sink.js";

export interface MsiParts {
  readonly sink: MsiSink;
  /** Vectors that the function can signal: a power of two, 1 to 32. */
  readonly vectors?: 1 | 2 | 4 | 8 | 16 | 32;
}

/** Offsets of the 64-bit form with masks. [PCI30] figure 6-9 */
const Register = { control: 2, addressLow: 4, addressHigh: 8, data: 12, mask: 16, pending: 20 } as const;
const LENGTH = 24;
/** [PCI30] 6.8.1.3. The count enabled stands in bits 4 to 6 as a power of two. */
const Control = { enable: 0x01, multipleEnable: 0x70, wide: 0x80, maskable: 0x100 } as const;

const W = words(["enabled", "count", "low", "high", "data", "mask"]);

export class MsiCapability implements PciCapability, MessageSource {
  readonly id = CapabilityId.msi;
  readonly length = LENGTH;
  readonly registers: readonly PciRegister[];
  readonly #sink: MsiSink;
  readonly #vectors: number;
  readonly #lock: Lock;
  /** The registers as senders use them. */
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Our part of configuration space. The mask and pending bits have no other place. */
  #bytes: Uint8Array<SharedArrayBuffer>;
  #view: DataView<SharedArrayBuffer>;

  constructor(arena: SharedArena, parts: MsiParts) {
    this.#sink = parts.sink;
    this.#vectors = parts.vectors ?? 1;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(Object.keys(W).length);
    this.#bytes = arena.uint8(LENGTH);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, LENGTH);
    const capable = Math.log2(this.#vectors) * 2;
    const all = bitsBelow(this.#vectors);
    this.registers = [
      {
        offset: Register.control,
        size: 2,
        initial: Control.wide | Control.maskable | capable,
        writable: Control.enable | Control.multipleEnable,
      },
      { offset: Register.addressLow, size: 4, initial: 0, writable: 0xffff_fffc },
      { offset: Register.addressHigh, size: 4, initial: 0, writable: 0xffff_ffff },
      { offset: Register.data, size: 2, initial: 0, writable: 0xffff },
      { offset: Register.mask, size: 4, initial: 0, writable: all },
      { offset: Register.pending, size: 4, initial: 0, writable: 0 },
    ];
    parts.sink.enlist(this);
  }

  /** True while the guest wants messages; {@link notify} does nothing otherwise. */
  get enabled(): boolean {
    return Atomics.load(this.#words, W.enabled) !== 0;
  }

  attach(bytes: Uint8Array<SharedArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  replacesIntx(): boolean {
    return (this.#view.getUint16(Register.control, true) & Control.enable) !== 0;
  }

  changed(command: number): void {
    let waiting: number;
    this.#lock.acquire();
    try {
      const before = this.#words[W.mask] ?? 0;
      const control = this.#view.getUint16(Register.control, true);
      const enabled = (control & Control.enable) !== 0 && (command & Command.master) !== 0;
      const count = Math.min(1 << ((control & Control.multipleEnable) >> 4), this.#vectors);
      const pirq = this.#pirq();
      this.#words[W.count] = count;
      this.#words[W.low] = this.#view.getUint32(Register.addressLow, true);
      this.#words[W.high] = this.#view.getUint32(Register.addressHigh, true);
      this.#words[W.data] = this.#view.getUint16(Register.data, true);
      this.#words[W.mask] = this.#view.getUint32(Register.mask, true);
      Atomics.store(this.#words, W.enabled, enabled ? 1 : 0);
      const now = this.#pirq();
      if (now !== 0 && now !== pirq && before === this.#words[W.mask] && this.#sink.isPirqBound(now)) this.#setMask(0);
      waiting = this.#takePending();
    } finally {
      this.#lock.release();
    }
    this.#notifyAll(waiting);
  }

  /** Signals `vector`; those beyond the count that the guest enabled share the last. Any thread. */
  notify(vector: number): void {
    if (vector < 0 || vector >= this.#vectors) return;
    let low: number;
    let high: number;
    let data: number;
    this.#lock.acquire();
    try {
      if (this.#words[W.enabled] === 0) return;
      const count = this.#words[W.count] ?? 1;
      const sent = Math.min(vector, count - 1);
      if ((((this.#words[W.mask] ?? 0) >>> sent) & 1) !== 0) {
        this.#setPending(this.#view.getUint32(Register.pending, true) | (1 << sent));
        return;
      }
      low = (this.#words[W.low] ?? 0) >>> 0;
      high = (this.#words[W.high] ?? 0) >>> 0;
      // The vector stands in the low bits of the data, as many as the count needs. [PCI30] 6.8.1.6
      data = ((this.#words[W.data] ?? 0) & -count) | sent;
    } finally {
      this.#lock.release();
    }
    this.#sink.signal(low, high, data);
  }

  pirqChanged(pirq: number, bound: boolean): void {
    let waiting = 0;
    this.#lock.acquire();
    try {
      if (this.#pirq() !== pirq) return;
      this.#setMask(bound ? 0 : bitsBelow(this.#vectors));
      waiting = this.#takePending();
    } finally {
      this.#lock.release();
    }
    this.#notifyAll(waiting);
  }

  holdsPirq(pirq: number): boolean {
    this.#lock.acquire();
    const held = this.#pirq() === pirq;
    this.#lock.release();
    return held;
  }

  /** Under the lock, as what follows. */
  #pirq(): number {
    return pirqOfMessage(this.#words[W.low] ?? 0, this.#words[W.high] ?? 0, this.#words[W.data] ?? 0);
  }

  #setMask(mask: number): void {
    this.#view.setUint32(Register.mask, mask, true);
    this.#words[W.mask] = mask | 0;
  }

  #setPending(pending: number): void {
    this.#view.setUint32(Register.pending, pending, true);
  }

  /** Takes the pending bits of what may be sent now. */
  #takePending(): number {
    if (this.#words[W.enabled] === 0) return 0;
    const pending = this.#view.getUint32(Register.pending, true);
    const waiting = pending & ~(this.#words[W.mask] ?? 0);
    if (waiting !== 0) this.#setPending(pending & ~waiting);
    return waiting;
  }

  #notifyAll(waiting: number): void {
    for (let vector = 0; vector < this.#vectors; vector++) {
      if (((waiting >>> vector) & 1) !== 0) this.notify(vector);
    }
  }
}

function bitsBelow(count: number): number {
  return 2 ** count - 1;
}
