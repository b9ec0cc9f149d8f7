/**
 * Xen's event callback as an interrupt line (HVM_PARAM_CALLBACK_IRQ by GSI or INTx). Any thread says which level it should
 * have; vCPU 0's thread drives it, as the others may hold the interrupt router's lock.
 */
import type { SharedArena } from "../shared/arena.js";
import type { MovableLine } from "../devices/irq-router.js";

const GSI = 0;
const LEVEL = 1;
const NOWHERE = -1;

export class CallbackLine {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #line: MovableLine;
  /** vCPU 0's thread only: the GSI that the line was last moved to. */
  #gsi = NOWHERE;

  constructor(arena: SharedArena, line: MovableLine) {
    this.#words = arena.int32(2);
    this.#line = line;
  }

  want(gsi: number, level: 0 | 1): void {
    Atomics.store(this.#words, GSI, gsi);
    Atomics.store(this.#words, LEVEL, level);
  }

  /** vCPU 0's thread, without locks held. */
  drive(): void {
    const gsi = Atomics.load(this.#words, GSI);
    if (gsi !== this.#gsi) {
      this.#gsi = gsi;
      this.#line.toGsi(gsi);
    }
    this.#line.set(Atomics.load(this.#words, LEVEL) === 0 ? 0 : 1);
  }

  reset(): void {
    this.#words.fill(0);
  }
}
