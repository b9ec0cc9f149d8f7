/**
 * INTx of one function: the device's own wish in the status register, the wire only while the guest has it that way.
 *
 * [PCI30] PCI Local Bus Specification 3.0, 6.2.2 "Interrupt disable", 6.2.3 "Interrupt status", 6.8.3.3: no INTx under MSI
 */
import type { SharedArena } from "../../shared/arena.js";
import type { IrqLine } from "../../shared/io.js";
import { Lock } from "../../shared/lock.js";

/** Interrupt Status, in the status register's low byte. [PCI30] table 6-2 */
export const INTERRUPT_STATUS = 0x08;

/** Any thread may set it. Lock order: the host bridge, or the device's own lock, then the pin's, then the router's. */
export class IntxPin implements IrqLine {
  readonly #lock: Lock;
  /** 1 while the guest wants no INTx. */
  readonly #silenced: Int32Array<SharedArrayBuffer>;
  readonly #line: IrqLine;
  /** The status register's low byte. */
  #status: Uint8Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, line: IrqLine) {
    this.#lock = new Lock(arena.int32(1));
    this.#silenced = arena.int32(1);
    this.#line = line;
    this.#status = arena.uint8(1);
  }

  /** Configuration space gives the byte where the level is kept and seen. */
  attach(status: Uint8Array<SharedArrayBuffer>): void {
    this.#status = status;
  }

  set(level: 0 | 1): void {
    this.#lock.acquire();
    try {
      if (level === 1) Atomics.or(this.#status, 0, INTERRUPT_STATUS);
      else Atomics.and(this.#status, 0, ~INTERRUPT_STATUS & 0xff);
      this.#drive();
    } finally {
      this.#lock.release();
    }
  }

  /** The guest has turned INTx off or on, or the status byte is another now. */
  silence(silenced: boolean): void {
    this.#lock.acquire();
    try {
      this.#silenced[0] = silenced ? 1 : 0;
      this.#drive();
    } finally {
      this.#lock.release();
    }
  }

  #drive(): void {
    const asserted = (Atomics.load(this.#status, 0) & INTERRUPT_STATUS) !== 0;
    this.#line.set(asserted && this.#silenced[0] === 0 ? 1 : 0);
  }
}
