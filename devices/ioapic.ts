/**
 * I/O APIC for a split irqchip: 24 pins here, the local APICs in the kernel. Messages leave as MSIs.
 *
 * [IOAPIC] Intel 82093AA, 290566-001; version 0x20 adds the EOI register of the ICH: [ICH9] 316972-004, 13.5
 * [SDM] Intel SDM volume 3, 11.11 "Message signalled interrupts"
 */
import type { SharedArena } from "../shared/arena.js";
import type { AccessSize, IoHandler, MmioDevice, MmioRange, PortRange } from "../shared/io.js";
import { IOAPIC_BASE } from "../shared/layout.js";
import { Lock } from "../shared/lock.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

export interface IoApicHost {
  /** Sends an MSI; false when no local APIC took it. Called under the lock. */
  signal(address: number, data: number): boolean;
  /**
   * The route of `pin` changed: refresh the kernel's, before any interrupt uses it, as the kernel reports the EOI of a
   * level-triggered vector only if a route names it. Called under the lock; `route()` may be called from here.
   */
  routesChanged(pin: number): void;
}

/** Where a pin's interrupt goes, as an MSI. */
export interface IoApicRoute {
  readonly address: number;
  readonly data: number;
  /** The kernel need not know the route. False for a masked pin, too, as long as its interrupt awaits its EOI. */
  readonly masked: boolean;
}

export const IOAPIC_PINS = 24;
/** Bytes of address space that the chip answers in. */
const MMIO_LENGTH = 0x1000;

/** Memory-mapped registers. [IOAPIC] 3.1; eoi: [ICH9] 13.5.1 */
const Mmio = { select: 0x00, window: 0x10, eoi: 0x40 } as const;
/** Registers behind the window. [IOAPIC] 3.2 */
const Index = { id: 0x00, version: 0x01, arbitration: 0x02, redirection: 0x10 } as const;
const VERSION_REGISTER = ((IOAPIC_PINS - 1) << 16) | 0x20;
const ID_MASK = 0x0f00_0000;

/** Low word of a redirection entry. [IOAPIC] 3.2.4 */
const Rte = {
  vector: 0xff,
  deliveryMode: 0x700,
  logical: 1 << 11,
  deliveryStatus: 1 << 12,
  remoteIrr: 1 << 14,
  level: 1 << 15,
  masked: 1 << 16,
} as const;
const RTE_WRITABLE = 0x1_afff;
const DESTINATION_MASK = 0xff00_0000 | 0;
const EXT_INT = 0x700;

/** [SDM] 11.11.1 and 11.11.2 */
const MSI_ADDRESS = 0xfee0_0000;
const Msi = { logicalDestination: 1 << 2, assert: 1 << 14 } as const;

/** `lines`: bit n is the level of pin n. Then the redirection table: low and high word of each pin. */
const W = words(["select", "id", "lines", "table"]);
const STATE_WORDS = W.table + IOAPIC_PINS * 2;
const VERSION = 1;

export class IoApic implements MmioDevice, IoHandler {
  readonly name = "ioapic";
  readonly ports: readonly PortRange[] = [];
  readonly mmio: readonly MmioRange[] = [{ base: IOAPIC_BASE, length: MMIO_LENGTH, handler: this }];
  readonly #host: IoApicHost;
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, host: IoApicHost) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(STATE_WORDS);
  }

  reset(): void {
    this.#lock.hold(() => {
      this.#words.fill(0);
      for (let pin = 0; pin < IOAPIC_PINS; pin++) this.#setLow(pin, Rte.masked);
      for (let pin = 0; pin < IOAPIC_PINS; pin++) this.#host.routesChanged(pin);
    });
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words);
    this.#lock.hold(() => {
      for (let pin = 0; pin < IOAPIC_PINS; pin++) this.#host.routesChanged(pin);
    });
  }

  read(offset: number, size: AccessSize): number {
    this.#lock.acquire();
    try {
      if (offset === Mmio.select) return this.#word(W.select);
      // [IOAPIC] 3.1.2: the window is for 32-bit accesses only.
      return offset === Mmio.window && size === 4 ? this.#readIndex(this.#word(W.select)) >>> 0 : 0;
    } finally {
      this.#lock.release();
    }
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.#lock.acquire();
    try {
      if (offset === Mmio.select) this.#words[W.select] = value & 0xff;
      else if (size !== 4) return;
      else if (offset === Mmio.window) this.#writeIndex(this.#word(W.select), value | 0);
      else if (offset === Mmio.eoi) this.#endOfInterrupt(value & 0xff);
    } finally {
      this.#lock.release();
    }
  }

  /** Drives `pin`, 0..23. */
  set(pin: number, level: 0 | 1): void {
    if (pin >= IOAPIC_PINS) return;
    this.#lock.acquire();
    try {
      const lines = this.#word(W.lines);
      const bit = 1 << pin;
      if (level === 0) {
        this.#words[W.lines] = lines & ~bit;
        return;
      }
      this.#words[W.lines] = lines | bit;
      const low = this.#low(pin);
      if ((low & Rte.level) !== 0) this.#serviceLevel(pin);
      // [IOAPIC] 3.2.4, interrupt mask: an edge on a masked pin is lost.
      else if ((lines & bit) === 0 && (low & Rte.masked) === 0) this.#send(pin);
    } finally {
      this.#lock.release();
    }
  }

  /** A local APIC ended the interrupt of `vector`: pins that are still asserted interrupt again, once each. */
  eoi(vector: number): void {
    this.#lock.hold(() => {
      this.#endOfInterrupt(vector);
    });
  }

  /** Where `pin` leads now. Takes no lock: meant for `routesChanged()`. */
  route(pin: number): IoApicRoute {
    const low = this.#low(pin);
    const level = (low & Rte.level) !== 0;
    return {
      address: this.#address(pin),
      data: (low & (Rte.vector | Rte.deliveryMode)) | (level ? Rte.level | Msi.assert : 0),
      masked: (low & (Rte.masked | Rte.remoteIrr)) === Rte.masked || (low & Rte.deliveryMode) === EXT_INT,
    };
  }

  #readIndex(index: number): number {
    switch (index) {
      case Index.id:
      case Index.arbitration:
        return this.#word(W.id);
      case Index.version:
        return VERSION_REGISTER;
      default: {
        const entry = index - Index.redirection;
        return entry >= 0 && entry < IOAPIC_PINS * 2 ? this.#word(W.table + entry) : 0;
      }
    }
  }

  #writeIndex(index: number, value: number): void {
    if (index === Index.id) this.#words[W.id] = value & ID_MASK;
    const entry = index - Index.redirection;
    if (entry < 0 || entry >= IOAPIC_PINS * 2) return;
    const pin = entry >> 1;
    const old = this.#word(W.table + entry);
    if ((entry & 1) === 1) {
      this.#words[W.table + entry] = value & DESTINATION_MASK;
    } else {
      // Remote IRR means nothing on an edge pin. Older kernels clear it by switching to edge and back.
      const kept = (value & Rte.level) !== 0 ? old & Rte.remoteIrr : 0;
      this.#setLow(pin, (value & RTE_WRITABLE) | kept);
    }
    if (this.#word(W.table + entry) === old) return;
    this.#host.routesChanged(pin);
    this.#serviceLevel(pin);
  }

  #endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const low = this.#low(pin);
      if ((low & Rte.vector) !== vector || (low & Rte.remoteIrr) === 0) continue;
      this.#setLow(pin, low & ~Rte.remoteIrr);
      this.#serviceLevel(pin);
    }
  }

  #serviceLevel(pin: number): void {
    const low = this.#low(pin);
    if ((low & Rte.level) === 0 || (low & (Rte.masked | Rte.remoteIrr)) !== 0) return;
    if ((this.#word(W.lines) & (1 << pin)) === 0) return;
    // Unless somebody took it there will be no EOI: leave the pin ready to try again.
    if (this.#send(pin)) this.#setLow(pin, this.#low(pin) | Rte.remoteIrr);
  }

  #send(pin: number): boolean {
    const low = this.#low(pin);
    // Not modelled: ExtINT through a pin. The 8259's INTR reaches vCPU 0 directly, as on LINT0.
    if ((low & Rte.deliveryMode) === EXT_INT) return false;
    const level = (low & Rte.level) !== 0;
    const data = (low & (Rte.vector | Rte.deliveryMode)) | (level ? Rte.level | Msi.assert : 0);
    return this.#host.signal(this.#address(pin), data);
  }

  #address(pin: number): number {
    const destination = this.#word(W.table + pin * 2 + 1) >>> 24;
    const logical = (this.#low(pin) & Rte.logical) !== 0;
    return (MSI_ADDRESS | (destination << 12) | (logical ? Msi.logicalDestination : 0)) >>> 0;
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }

  #low(pin: number): number {
    return this.#word(W.table + pin * 2);
  }

  #setLow(pin: number, value: number): void {
    this.#words[W.table + pin * 2] = value;
  }
}
