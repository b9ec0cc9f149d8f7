/**
 * Interrupt wires of the board: any number of sources per global system interrupt, ORed; PCI pins go through the PIIX3's
 * PIRQ routing. Every thread allocates the same lines in the same order.
 */
import type { SharedArena } from "../shared/arena.js";
import type { IrqLine } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { restoreChip, saveChip } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

export interface IrqRouterHost {
  /** Drives a global system interrupt. Called under the router's lock, on changes only. */
  set(gsi: number, level: 0 | 1): void;
  /** Where the PIIX3 routes INTx `pin` (1 = A .. 4 = D) of `slot` now; -1 for nowhere. Called under the lock. */
  intxGsi(slot: number, pin: number): number;
}

/** A line that the guest may move: Xen's callback. Moving it takes its level along. */
export interface MovableLine extends IrqLine {
  toGsi(gsi: number): void;
  toIntx(slot: number, pin: number): void;
  detach(): void;
}

const GSIS = 24;
const MAX_LINES = 64;
const NOWHERE = -1;
const VERSION = 1;
/** A target at or above this is a PCI pin: `INTX | slot << 2 | (pin - 1)`. */
const INTX = 0x100;

export class IrqRouter {
  readonly #host: IrqRouterHost;
  readonly #lock: Lock;
  /** Level of each source. */
  readonly #levels: Int32Array<SharedArrayBuffer>;
  /** Where each movable source leads. */
  readonly #movableTargets: Int32Array<SharedArrayBuffer>;
  /** Level last given to each GSI. */
  readonly #driven: Int32Array<SharedArrayBuffer>;
  /** Where each fixed source leads; undefined for a movable one. The same in every thread. */
  readonly #fixedTargets: (number | undefined)[] = [];

  constructor(arena: SharedArena, host: IrqRouterHost) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#levels = arena.int32(MAX_LINES);
    this.#movableTargets = arena.int32(MAX_LINES);
    this.#driven = arena.int32(GSIS);
  }

  /** Every line low, movable ones detached. */
  reset(): void {
    this.#lock.hold(() => {
      this.#levels.fill(0);
      this.#movableTargets.fill(NOWHERE);
      this.#updateAll();
    });
  }

  save(): ChipState {
    return saveChip(VERSION, this.#levels, this.#movableTargets, this.#driven);
  }

  /** The interrupt controllers are restored with the same levels, so nothing is driven here. */
  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#levels, this.#movableTargets, this.#driven);
  }

  /** A new source on `gsi`. ISA IRQ n is GSI n. */
  isa(gsi: number): IrqLine {
    return this.#allocate(gsi);
  }

  /** A new source on INTx `pin` (1 = A .. 4 = D) of PCI device `slot`. */
  intx(slot: number, pin: number): IrqLine {
    return this.#allocate(intxTarget(slot, pin));
  }

  movable(): MovableLine {
    const line = this.#allocate(undefined);
    const source = this.#fixedTargets.length - 1;
    const move = (target: number): void => {
      this.#lock.hold(() => {
        this.#movableTargets[source] = target;
        this.#updateAll();
      });
    };
    return {
      set: (level) => {
        line.set(level);
      },
      toGsi: (gsi) => {
        move(gsi >= 0 && gsi < GSIS ? gsi : NOWHERE);
      },
      toIntx: (slot, pin) => {
        move(intxTarget(slot, pin));
      },
      detach: () => {
        move(NOWHERE);
      },
    };
  }

  /** The level that `gsi` was last driven to. */
  level(gsi: number): 0 | 1 {
    return Atomics.load(this.#driven, gsi) === 0 ? 0 : 1;
  }

  /** The PIIX3's routing changed: asserted PCI lines move to their new GSI. */
  routesChanged(): void {
    this.#lock.hold(() => {
      this.#updateAll();
    });
  }

  #allocate(target: number | undefined): IrqLine {
    const source = this.#fixedTargets.length;
    if (source >= MAX_LINES) throw new RangeError(`Cannot wire another interrupt: all ${MAX_LINES} lines are taken`);
    this.#fixedTargets.push(target);
    return {
      set: (level) => {
        this.#lock.acquire();
        try {
          if (this.#levels[source] === level) return;
          this.#levels[source] = level;
          const gsi = this.#gsiOf(source);
          // One that is up is enough: nobody else need be asked.
          if (level === 1) this.#drive(gsi, 1);
          else this.#update(gsi);
        } finally {
          this.#lock.release();
        }
      },
    };
  }

  #gsiOf(source: number): number {
    const target = this.#fixedTargets[source] ?? this.#movableTargets[source] ?? NOWHERE;
    return target < INTX ? target : this.#host.intxGsi((target >> 2) & 0x1f, (target & 3) + 1);
  }

  #update(gsi: number): void {
    let level: 0 | 1 = 0;
    for (let source = 0; source < this.#fixedTargets.length && level === 0; source++) {
      if (this.#levels[source] === 1 && this.#gsiOf(source) === gsi) level = 1;
    }
    this.#drive(gsi, level);
  }

  #drive(gsi: number, level: 0 | 1): void {
    if (gsi < 0 || gsi >= GSIS || this.#driven[gsi] === level) return;
    this.#driven[gsi] = level;
    this.#host.set(gsi, level);
  }

  #updateAll(): void {
    for (let gsi = 0; gsi < GSIS; gsi++) this.#update(gsi);
  }
}

function intxTarget(slot: number, pin: number): number {
  return INTX | ((slot & 0x1f) << 2) | ((pin - 1) & 3);
}
