/**
 * Reset control register at 0xcf9, inside the range of the PCI address register: only byte accesses come here.
 *
 * [PIIX3] Intel 82371SB, 290550-002, 2.5.7 "RC - reset control register"
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { Device, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { BytePorts } from "./byte-ports.js";
import { restoreChip, saveChip } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

export interface ResetControlHost {
  /** The guest reset the machine. Called under the lock. */
  reset(): void;
}

/** Bit 1 says whether the next reset is hard; both kinds give the whole machine a fresh start here. */
const Control = { hard: 0x02, cpu: 0x04 } as const;
const VERSION = 1;

export class ResetControl implements Device {
  readonly name = "reset-control";
  readonly ports: readonly PortRange[];
  readonly #value: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, host: ResetControlHost) {
    const lock = new Lock(arena.int32(1));
    const value = arena.int32(1);
    this.#value = value;
    this.ports = [
      {
        base: port(0xcf9),
        length: 1,
        handler: new BytePorts(lock, 1, {
          read: () => value[0] ?? 0,
          write: (_offset, written) => {
            // The reset is the rise of bit 2, which does not stay. [PIIX3] 2.5.7
            value[0] = written & Control.hard;
            if ((written & Control.cpu) !== 0) host.reset();
          },
        }),
      },
    ];
  }

  reset(): void {
    this.#value[0] = 0;
  }

  save(): ChipState {
    return saveChip(VERSION, this.#value);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#value);
  }
}
