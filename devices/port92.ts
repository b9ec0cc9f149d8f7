/**
 * Port 0x92: fast A20 gate and fast processor reset.
 *
 * [PIIX3] Intel 82371SB, 290550-002, 2.5.6 "Port 92 register"
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { Device, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { BytePorts } from "./byte-ports.js";
import { restoreChip, saveChip } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

export interface Port92Host {
  /** The guest reset the processor. Called under the lock. */
  reset(): void;
}

const FAST_INIT = 0x01;
/** Not modelled: the gate. The bit reads back; address line 20 always works. */
const FAST_A20 = 0x02;
const VERSION = 1;

export class Port92 implements Device {
  readonly name = "port92";
  readonly ports: readonly PortRange[];
  readonly #value: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, host: Port92Host) {
    const lock = new Lock(arena.int32(1));
    const value = arena.int32(1);
    this.#value = value;
    this.ports = [
      {
        base: port(0x92),
        length: 1,
        handler: new BytePorts(lock, 1, {
          read: () => value[0] ?? 0,
          write: (_offset, written) => {
            // A reset is the bit's rise; it stays set until it is written 0. [PIIX3] 2.5.6
            const rises = (written & ~(value[0] ?? 0) & FAST_INIT) !== 0;
            value[0] = written & (FAST_A20 | FAST_INIT);
            if (rises) host.reset();
          },
        }),
      },
    ];
  }

  reset(): void {
    this.#value[0] = FAST_A20;
  }

  save(): ChipState {
    return saveChip(VERSION, this.#value);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#value);
  }
}
