/**
 * The debug console port that firmware and test kernels print to: 0x402 for SeaBIOS and OVMF, 0xe9 for Bochs' users.
 *
 * It has no way to make a guest wait: a guest that writes faster than anybody reads loses what does not fit.
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import { ByteRing } from "../shared/byte-ring.js";
import type { AccessSize, Device, IoHandler, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";

export interface DebugPortHost {
  /** `output` was empty and is not any more. Called under the lock, by a vCPU's thread. */
  transmit(): void;
}

/** What tells a guest that the port is there. */
const PRESENT = 0xe9;
const OUTPUT_BYTES = 16_384;

export class DebugPort implements Device, IoHandler {
  readonly name = "isa-debugcon";
  readonly ports: readonly PortRange[];
  /** What the guest wrote, as it wrote it. */
  readonly output: ByteRing;
  readonly #host: DebugPortHost;
  readonly #lock: Lock;

  constructor(arena: SharedArena, iobase: number, host: DebugPortHost) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.output = new ByteRing(arena, OUTPUT_BYTES);
    this.ports = [{ base: port(iobase), length: 1, handler: this }];
  }

  /** Nothing to do: the port has no registers, and what is in the ring has been said already. */
  reset(): void {
    return;
  }

  read(): number {
    return PRESENT;
  }

  /** Only the low byte is a character. */
  write(_offset: number, _size: AccessSize, value: number): void {
    this.#lock.acquire();
    try {
      // Looked at after the push: either the reader sees this byte before it sleeps, or we see that it may sleep.
      if (this.output.push(value & 0xff) && this.output.length === 1) this.#host.transmit();
    } finally {
      this.#lock.release();
    }
  }
}
