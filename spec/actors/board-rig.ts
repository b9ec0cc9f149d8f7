/** The whole board, without a host: what it asks of one is noted down, and time passes by the access. */
import { Board } from "../../actors/board.js";
import type { BoardHost } from "../../actors/board.js";
import { KvmRun } from "../../actors/host/exit.js";
import { SharedArena } from "../../shared/arena.js";
import { gpa, port } from "../../shared/brand.js";
import { resolveConfig } from "../../shared/config.js";
import type { MachineConfig } from "../../shared/config.js";
import type { AccessSize } from "../../shared/io.js";
import { logTo } from "../../shared/log.js";
import { GuestMemory } from "../../shared/memory.js";

/** Where data lies in the run area. */
const DATA = 4096;
/** A board with all that can be on it without disks and networks. */
export const EVERYTHING: Partial<MachineConfig> = {
  accel: { xenVersion: 0x4_000a },
  serials: [{ kind: "stream" }, { kind: "null" }, { kind: "null" }, { kind: "null" }],
  debugExit: { iobase: 0xf4, iosize: 4 },
  debugcon: { chardev: { kind: "stream" } },
};

export class BoardRig {
  readonly events: string[] = [];
  readonly board: Board;
  readonly arena: SharedArena;
  readonly shadow: BoardHost["shadow"];
  readonly #memory: GuestMemory;
  readonly #run = new KvmRun(new SharedArrayBuffer(3 * 4096), 0, 3 * 4096);
  /** Nanoseconds of machine time. */
  now = 0;

  constructor(
    config: Partial<MachineConfig>,
    buffer = new SharedArrayBuffer(1 << 20),
    shadow?: BoardHost["shadow"],
    memory = new GuestMemory([]),
  ) {
    this.shadow = shadow;
    this.#memory = memory;
    this.arena = new SharedArena(buffer);
    this.board = new Board(this.arena, resolveConfig({ boot: { kernel: "k" }, ...config }), this.#host());
  }

  in(at: number, size: AccessSize = 1): number {
    this.#io(at, size, false);
    return size === 1
      ? this.#run.view.getUint8(DATA)
      : size === 2
        ? this.#run.view.getUint16(DATA, true)
        : this.#run.view.getUint32(DATA, true);
  }

  out(at: number, value: number, size: AccessSize = 1): void {
    this.#run.view.setUint32(DATA, value, true);
    this.#io(at, size, true);
  }

  /** A byte by MMIO. */
  load(at: number): number {
    this.mmio(at, 1, false);
    return this.#run.view.getUint8(DATA);
  }

  /** An MMIO access of `size` bytes, 1 to 8, with whatever data the access before has left. */
  mmio(at: number, size: number, write: boolean): void {
    this.now += 1000;
    this.board.bus.mmio({ kind: "mmio", write, address: gpa(at), size, dataOffset: DATA }, this.#run);
  }

  #io(at: number, size: AccessSize, write: boolean): void {
    this.now += 1000;
    this.board.bus.io({ kind: "io", write, port: port(at), size, count: 1, dataOffset: DATA }, this.#run);
  }

  #host(): BoardHost {
    const note = (text: string) => () => {
      this.events.push(text);
    };
    return {
      log: logTo("board", () => undefined),
      shadow: this.shadow,
      pamChanged: (changes) => this.events.push(`${changes.length} segments`),
      nowNs: () => this.now,
      wallClock: () => Date.UTC(2026, 0, 1),
      arm: () => undefined,
      signal: () => true,
      memory: this.#memory,
      messages: { signal: () => true, isPirqBound: () => false, enlist: () => undefined },
      diskSectors: [2048, 4096],
      decodesChanged: () => undefined,
      kickNet: () => undefined,
      kickDisk: (index) => this.events.push(`disk ${index}`),
      trayMoved: () => this.events.push("tray"),
      intr: () => undefined,
      routesChanged: () => undefined,
      gsiTaken: () => false,
      serial: note("serial"),
      resetMachine: note("reset"),
      powerOff: note("power off"),
      debugExit: (code) => this.events.push(`debug exit ${code}`),
      unplug: (mask) => this.events.push(`unplug ${mask}`),
      xenLine: (text) => this.events.push(`xen: ${text}`),
    };
  }
}
