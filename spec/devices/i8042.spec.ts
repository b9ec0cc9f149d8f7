/** [8042] IBM PS/2 Hardware Interface Technical Reference */
import assert from "node:assert/strict";
import { I8042 } from "../../devices/i8042.js";
import { RecordedLine, assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "./port-driver.js";
import type { PortStep } from "./port-driver.js";

class Board {
  readonly irq1 = new RecordedLine();
  readonly irq12 = new RecordedLine();
  resets = 0;
  readonly chip = new I8042(smallArena(), {
    irq1: this.irq1,
    irq12: this.irq12,
    reset: () => {
      this.resets++;
    },
  });
  readonly ports = driveRanges(this.chip.ports);

  constructor() {
    this.chip.reset();
  }

  run(...steps: readonly PortStep[]): void {
    runSteps(this.ports, steps);
  }
}

describe("I8042", () => {
  it("passes its self test", () => {
    new Board().run(["out", 0x64, 1, 0xaa], ["in", 0x64, 1, 0x1d], ["in", 0x60, 1, 0x55], ["in", 0x64, 1, 0x1c]);
  });

  it("gives its configuration byte back as written", () => {
    new Board().run(
      ["out", 0x64, 1, 0x20],
      ["in", 0x60, 1, 0x45],
      ["out", 0x64, 1, 0x60],
      ["out", 0x60, 1, 0x74],
      ["out", 0x64, 1, 0x20],
      ["in", 0x60, 1, 0x74],
    );
  });

  it("finds both interfaces to be in order", () => {
    new Board().run(["out", 0x64, 1, 0xab], ["in", 0x60, 1, 0x00], ["out", 0x64, 1, 0xa9], ["in", 0x60, 1, 0x00]);
  });

  it("loops a byte through the auxiliary buffer, as drivers do to find a multiplexer", () => {
    new Board().run(["out", 0x64, 1, 0xd3], ["out", 0x60, 1, 0x5a], ["in", 0x64, 1, 0x35], ["in", 0x60, 1, 0x5a]);
  });

  it("shows in the configuration byte which interfaces are off", () => {
    new Board().run(
      ["out", 0x64, 1, 0xa7],
      ["out", 0x64, 1, 0xad],
      ["out", 0x64, 1, 0x20],
      ["in", 0x60, 1, 0x75],
      ["out", 0x64, 1, 0xa8],
      ["out", 0x64, 1, 0xae],
      ["out", 0x64, 1, 0x20],
      ["in", 0x60, 1, 0x45],
    );
  });

  it("has a keyboard that says what it is, one interrupt per byte", () => {
    const board = new Board();
    board.run(
      ["out", 0x60, 1, 0xf2],
      ["in", 0x60, 1, 0xfa],
      ["in", 0x60, 1, 0xab],
      ["in", 0x60, 1, 0x41],
      ["in", 0x64, 1, 0x14],
    );
    assert.equal(board.irq1.edges, 3);
    assert.equal(board.irq1.level, 0);
  });

  it("has no mouse: a byte to it times out", () => {
    const board = new Board();
    board.run(
      ["out", 0x64, 1, 0x60],
      ["out", 0x60, 1, 0x47],
      ["out", 0x64, 1, 0xd4],
      ["out", 0x60, 1, 0xff],
      ["in", 0x64, 1, 0x75],
      ["in", 0x60, 1, 0xfe],
    );
    assert.equal(board.irq12.edges, 1);
  });

  it("resets the machine on a pulse of output line 0, and only then", () => {
    const board = new Board();
    board.run(["out", 0x64, 1, 0xff], ["out", 0x64, 1, 0xf1]);
    assert.equal(board.resets, 0);
    board.run(["out", 0x64, 1, 0xfe]);
    assert.equal(board.resets, 1);
  });

  it("resets the machine when the output port's bit 0 is cleared", () => {
    const board = new Board();
    board.run(["out", 0x64, 1, 0xd1], ["out", 0x60, 1, 0xdf]);
    assert.equal(board.resets, 0);
    board.run(["out", 0x64, 1, 0xd1], ["out", 0x60, 1, 0xde]);
    assert.equal(board.resets, 1);
  });

  it("keeps the A20 bit", () => {
    new Board().run(
      ["out", 0x64, 1, 0xdd],
      ["out", 0x64, 1, 0xd0],
      ["in", 0x60, 1, 0x01],
      ["out", 0x64, 1, 0xdf],
      ["out", 0x64, 1, 0xd0],
      ["in", 0x60, 1, 0x03],
    );
  });

  it("drops answers that nobody reads", () => {
    const board = new Board();
    for (let count = 0; count < 100; count++) board.ports.out(0x64, 1, 0x20);
    let bytes = 0;
    for (; (board.ports.in(0x64, 1) & 0x01) !== 0; bytes++) board.ports.in(0x60, 1);
    assert.equal(bytes, 16);
  });

  it("goes on where it was after save and restore", () => {
    const board = new Board();
    board.run(["out", 0x60, 1, 0xee]);
    const other = new Board();
    other.chip.restore(structuredClone(board.chip.save()));
    other.run(["in", 0x60, 1, 0xee]);
  });

  it("takes any guest input (P7, P9)", () => {
    const board = new Board();
    assertDeviceTakesAnything(board.chip.ports);
  });
});
