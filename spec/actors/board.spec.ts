/** The whole board, without a host: what answers at which port, and that it is what the machine map says. */
import assert from "node:assert/strict";
import { Board } from "../../actors/board.js";
import type { BoardHost } from "../../actors/board.js";
import { KvmRun } from "../../actors/host/exit.js";
import { LEGACY_PORTS, SERIAL_PORTS } from "../../actors/machine-map.js";
import { SharedArena } from "../../shared/arena.js";
import { port } from "../../shared/brand.js";
import { resolveConfig } from "../../shared/config.js";
import type { MachineConfig } from "../../shared/config.js";
import type { AccessSize } from "../../shared/io.js";
import { logTo } from "../../shared/log.js";

const DATA = 4096;
const EVERYTHING: Partial<MachineConfig> = {
  accel: { xenVersion: 0x4_000a },
  serials: [{ kind: "stream" }, { kind: "null" }, { kind: "null" }, { kind: "null" }],
  debugExit: { iobase: 0xf4, iosize: 4 },
  debugcon: { chardev: { kind: "stream" } },
};

class Fixture {
  readonly events: string[] = [];
  readonly board: Board;
  readonly arena: SharedArena;
  readonly #run = new KvmRun(new SharedArrayBuffer(3 * 4096), 0, 3 * 4096);
  #now = 0;

  constructor(config: Partial<MachineConfig>, buffer = new SharedArrayBuffer(1 << 20)) {
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

  #io(at: number, size: AccessSize, write: boolean): void {
    this.#now += 1000;
    this.board.bus.io({ kind: "io", write, port: port(at), size, count: 1, dataOffset: DATA }, this.#run);
  }

  #host(): BoardHost {
    const note = (text: string) => () => {
      this.events.push(text);
    };
    return {
      log: logTo("board", () => undefined),
      nowNs: () => this.#now,
      wallClock: () => Date.UTC(2026, 0, 1),
      arm: () => undefined,
      signal: () => true,
      intr: () => undefined,
      routesChanged: () => undefined,
      gsiTaken: () => false,
      serial: note("serial"),
      resetMachine: note("reset"),
      powerOff: note("power off"),
      debugExit: (code) => this.events.push(`debug exit ${code}`),
      unplug: (mask) => this.events.push(`unplug ${mask}`),
      guestLine: (source, text) => this.events.push(`${source}: ${text}`),
    };
  }
}

describe("The machine map", () => {
  it("is in order of addresses, without overlaps", () => {
    const bounds = LEGACY_PORTS.flatMap(({ base, length }) => [base, base + length - 1]);
    // The i8254's speaker port lies between the keyboard controller's, and 0xcf9 within the host bridge's.
    assert.deepEqual(
      bounds,
      [...bounds].sort((a, b) => a - b),
    );
    assert.equal(new Set(bounds.filter((_, i) => i % 2 === 0)).size, LEGACY_PORTS.length);
  });

  it("gives COM1 to COM4 the ports and interrupts of a PC", () => {
    assert.deepEqual(
      SERIAL_PORTS.map(({ name, base, irq }) => [name, base, irq]),
      [
        ["com1", 0x3f8, 4],
        ["com2", 0x2f8, 3],
        ["com3", 0x3e8, 4],
        ["com4", 0x2e8, 3],
      ],
    );
  });

  for (const { base, owner } of LEGACY_PORTS) {
    it(`is true at 0x${base.toString(16)}: ${owner}`, () => {
      assert.equal(new Fixture(EVERYTHING).board.bus.ownerOf(base), owner);
    });
  }
});

describe("Board", () => {
  it("builds the same shared state in every thread", () => {
    const buffer = new SharedArrayBuffer(1 << 20);
    const [one, other] = [new Fixture(EVERYTHING, buffer), new Fixture(EVERYTHING, buffer)];
    assert.equal(one.arena.used, other.arena.used);
    one.board.reset();
    // A scratch register of the UART, and CMOS memory, set in one thread and read in the other.
    one.out(0x3ff, 0x5a);
    one.out(0x70, 0x40);
    one.out(0x71, 0xa5);
    assert.equal(other.in(0x3ff), 0x5a);
    other.out(0x70, 0x40);
    assert.equal(other.in(0x71), 0xa5);
  });

  it("leaves out what is not configured: those ports float high", () => {
    const { board } = new Fixture({});
    assert.deepEqual(
      [0x10, 0x3f8, 0x2f8, 0xf4, 0xe9].map((at) => board.bus.ownerOf(port(at))),
      ["nothing", "nothing", "nothing", "nothing", "nothing"],
    );
    assert.equal(new Fixture({}).in(0x3fd), 0xff);
  });

  it("takes the ways of a PC to reset, to power off and to end a test", () => {
    const fixture = new Fixture(EVERYTHING);
    fixture.board.reset();
    fixture.out(0xcf9, 0x06);
    fixture.out(0x64, 0xfe);
    fixture.out(0x92, 0x01);
    fixture.out(0xf4, 0x10, 4);
    // PM1a control at 0xb004: SLP_EN (13) with the board's SLP_TYP for S5.
    fixture.out(0xb004, 1 << 13, 2);
    assert.deepEqual(fixture.events, ["reset", "reset", "reset", "debug exit 33", "power off"]);
  });

  it("shows the Xen platform's unplug protocol, and logs the guest's lines", () => {
    const fixture = new Fixture(EVERYTHING);
    fixture.board.reset();
    assert.equal(fixture.in(0x10, 2), 0x49d2);
    fixture.out(0x10, 3, 2);
    for (const letter of Buffer.from("hi\n")) fixture.out(0x12, letter);
    for (const letter of Buffer.from("yo\n")) fixture.out(0xe9, letter);
    assert.deepEqual(fixture.events, ["unplug 3", "xen-platform: hi", "debugcon: yo"]);
  });

  it("has its PCI functions where a 440FX board has them", () => {
    const fixture = new Fixture(EVERYTHING);
    fixture.board.reset();
    const ids = [0, 1, 2].flatMap((device) =>
      [0, 1, 3].map((fn) => {
        fixture.out(0xcf8, 0x8000_0000 + device * 2048 + fn * 256, 4);
        return fixture.in(0xcfc, 4);
      }),
    );
    const none = 0xffff_ffff;
    assert.deepEqual(
      ids.map((id) => id >>> 0),
      [0x1237_8086, none, none, 0x7000_8086, none, 0x7113_8086, 0x0001_5853, none, none],
    );
  });

  it("answers at every port in every width, whatever comes (P7)", () => {
    const fixture = new Fixture(EVERYTHING);
    fixture.board.reset();
    for (let at = 0; at < 0x1_0000; at++) {
      for (const size of [1, 2, 4] as const) {
        const value = fixture.in(at, size);
        assert(value >= 0 && value < 2 ** (8 * size));
        fixture.out(at, 0xa5a5_a5a5, size);
      }
    }
  });
});
