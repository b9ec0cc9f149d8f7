/**
 * Bus master registers of one channel: 8 ports each, primary first.
 *
 * The two bits of the status register tell how a transfer ended: interrupt alone, all is well; both, the drive is done
 * and the PRD table had room left; active alone, still under way; none, the table was too short.
 *
 * Not modelled: the direction bit of the command register. The drive's command says where the data goes.
 *
 * [BMIDE] Programming Interface for Bus Master IDE Controller, revision 1.0, 2.0 "Bus master IDE register description", 3.1
 * [PIIX3] Intel 82371SB, 290550-002, 2.7 "PCI bus master IDE registers"
 */
import type { SharedArena } from "../../shared/arena.js";
import { words } from "../chip-state.js";

/** Offsets from the channel's first port. */
export const BusMasterRegister = { command: 0, status: 2, table: 4 } as const;
export const BUS_MASTER_BYTES = 8;
/** BMICX */
export const BusMasterCommand = { start: 0x01, toMemory: 0x08 } as const;
/** BMISX */
export const BusMasterStatus = { active: 0x01, error: 0x02, interrupt: 0x04, drives: 0x60 } as const;

/** `armed`: the start bit was set, and no transfer has ended since. */
const W = words(["command", "status", "table", "armed"]);

export interface BusMasterHost {
  /** The start bit was set: the table is read anew. Under the lock. */
  started(): void;
  /** The start bit was cleared. Under the lock. */
  stopped(): void;
}

export class BusMaster {
  readonly words: Uint32Array<SharedArrayBuffer>;
  readonly #host: BusMasterHost;

  constructor(arena: SharedArena, host: BusMasterHost) {
    this.words = arena.uint32(4);
    this.#host = host;
  }

  reset(): void {
    this.words.fill(0);
  }

  get started(): boolean {
    return ((this.words[W.command] ?? 0) & BusMasterCommand.start) !== 0;
  }

  /** A command may move its data. A start serves one command only. */
  get armed(): boolean {
    return this.words[W.armed] === 1;
  }

  get table(): number {
    return this.words[W.table] ?? 0;
  }

  /** The drive's interrupt line rose. */
  interrupt(): void {
    this.#setStatus(BusMasterStatus.interrupt, 0);
  }

  /** No more data moves. */
  idle(): void {
    this.words[W.armed] = 0;
    this.#setStatus(0, BusMasterStatus.active);
  }

  /** No more data moves, but the table has room for more: the master stays active until it is stopped. */
  leftOver(): void {
    this.words[W.armed] = 0;
  }

  /** A transfer that was stopped goes on. */
  restarted(): void {
    this.words[W.armed] = 1;
    this.#setStatus(BusMasterStatus.active, 0);
  }

  /** The PCI bus refused an access. No interrupt comes of it. [BMIDE] 3.1 "Error conditions" */
  fault(): void {
    this.words[W.armed] = 0;
    this.#setStatus(BusMasterStatus.error, BusMasterStatus.active);
  }

  /** One byte, `offset` below 8. */
  read(offset: number): number {
    if (offset >= BusMasterRegister.table) return (this.table >>> ((offset - BusMasterRegister.table) * 8)) & 0xff;
    if (offset === BusMasterRegister.command) return this.words[W.command] ?? 0;
    return offset === BusMasterRegister.status ? (this.words[W.status] ?? 0) : 0;
  }

  write(offset: number, value: number): void {
    if (offset >= BusMasterRegister.table) {
      const shift = (offset - BusMasterRegister.table) * 8;
      // The table is aligned to 4 bytes.
      this.words[W.table] = ((this.table & ~(0xff << shift)) | (value << shift)) & ~0x3;
    } else if (offset === BusMasterRegister.command) {
      this.#command(value);
    } else if (offset === BusMasterRegister.status) {
      const status = this.words[W.status] ?? 0;
      const cleared = value & (BusMasterStatus.error | BusMasterStatus.interrupt);
      this.words[W.status] = (status & ~cleared & ~BusMasterStatus.drives) | (value & BusMasterStatus.drives);
    }
  }

  #command(value: number): void {
    const before = this.started;
    this.words[W.command] = value & (BusMasterCommand.start | BusMasterCommand.toMemory);
    if (this.started === before) return;
    if (before) {
      this.#host.stopped();
    } else {
      this.restarted();
      this.#host.started();
    }
  }

  #setStatus(set: number, clear: number): void {
    this.words[W.status] = ((this.words[W.status] ?? 0) | set) & ~clear;
  }
}
