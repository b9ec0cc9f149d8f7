/**
 * I/O ports of byte-wide registers behind one lock. As on an 8-bit ISA device, a wide access becomes one byte access per
 * port, lowest first, all within one hold of the lock.
 */
import type { AccessSize, IoHandler } from "../shared/io.js";
import type { Lock } from "../shared/lock.js";

/** What a chip does for each of its byte registers. `offset` is below the length; values are 0..255. */
export interface ByteRegisters {
  read(offset: number): number;
  write(offset: number, value: number): void;
}

export class BytePorts implements IoHandler {
  readonly #lock: Lock;
  readonly #length: number;
  readonly #registers: ByteRegisters;

  constructor(lock: Lock, length: number, registers: ByteRegisters) {
    this.#lock = lock;
    this.#length = length;
    this.#registers = registers;
  }

  /** Bytes past the end float high. */
  read(offset: number, size: AccessSize): number {
    this.#lock.acquire();
    try {
      let value = 0;
      for (let byte = 0; byte < size; byte++) {
        const at = offset + byte;
        value |= (at < this.#length ? this.#registers.read(at) & 0xff : 0xff) << (byte * 8);
      }
      return value >>> 0;
    } finally {
      this.#lock.release();
    }
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.#lock.acquire();
    try {
      for (let byte = 0; byte < size && offset + byte < this.#length; byte++) {
        this.#registers.write(offset + byte, (value >>> (byte * 8)) & 0xff);
      }
    } finally {
      this.#lock.release();
    }
  }
}
