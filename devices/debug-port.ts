/** The debug console port that firmware and test kernels print to: 0x402 for SeaBIOS and OVMF, 0xe9 for Bochs' users. */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { AccessSize, Device, IoHandler, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { restoreChip, saveChip } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";
import { LineBuffer } from "./line-buffer.js";

export interface DebugPortHost {
  /** The guest wrote a line, control characters and all. Called without the lock held. */
  line(text: string): void;
}

/** What tells a guest that the port is there. */
const PRESENT = 0xe9;
const VERSION = 1;

export class DebugPort implements Device, IoHandler {
  readonly name = "isa-debugcon";
  readonly ports: readonly PortRange[];
  readonly #host: DebugPortHost;
  readonly #lock: Lock;
  readonly #line: LineBuffer;

  constructor(arena: SharedArena, iobase: number, host: DebugPortHost) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#line = new LineBuffer(arena);
    this.ports = [{ base: port(iobase), length: 1, handler: this }];
  }

  reset(): void {
    this.#line.clear();
  }

  save(): ChipState {
    return saveChip(VERSION, this.#line.length, this.#line.bytes);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#line.length, this.#line.bytes);
  }

  read(): number {
    return PRESENT;
  }

  /** Only the low byte is a character. */
  write(_offset: number, _size: AccessSize, value: number): void {
    this.#lock.acquire();
    let line: string | undefined;
    try {
      line = this.#line.push(value & 0xff);
    } finally {
      this.#lock.release();
    }
    if (line !== undefined) this.#host.line(line);
  }
}
