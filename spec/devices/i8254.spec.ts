/** [8254] Intel 8254 Programmable Interval Timer, 231164-005. One clock is 838.095 ns. */
import assert from "node:assert/strict";
import { I8254 } from "../../devices/i8254.js";
import {
  ManualClock,
  RecordedLine,
  assertDeviceTakesAnything,
  driveRanges,
  runSteps,
  smallArena,
} from "./port-driver.js";

const CLOCK_NS = 1e9 / 1_193_182;

class Board {
  readonly clock = new ManualClock();
  readonly irq0 = new RecordedLine();
  readonly chip = new I8254(smallArena(), { nowNs: this.clock.nowNs, arm: this.clock.arm, irq0: this.irq0 });
  readonly ports = driveRanges(this.chip.ports);

  constructor() {
    this.chip.reset();
  }

  /** Lets `clocks` and a little more pass. */
  pass(clocks: number): void {
    this.clock.now += Math.ceil(clocks * CLOCK_NS);
  }

  /** Lets time pass up to the deadline and calls the chip. */
  expire(): void {
    this.clock.now = this.clock.deadline;
    this.chip.expire(this.clock.now);
  }
}

describe("I8254", () => {
  it("counts down in mode 0 and raises OUT at the end", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x61, 1, 0x01],
      ["out", 0x43, 1, 0xb0], // channel 2, both bytes, mode 0
      ["out", 0x42, 1, 0xe8],
      ["out", 0x42, 1, 0x03], // 1000
    ]);
    assert.equal(board.ports.in(0x61, 1) & 0x20, 0);
    board.pass(300);
    runSteps(board.ports, [
      ["in", 0x42, 1, 0xbc], // 700
      ["in", 0x42, 1, 0x02],
    ]);
    board.pass(700);
    assert.equal(board.ports.in(0x61, 1) & 0x20, 0x20);
  });

  it("runs on below zero in mode 0", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x30],
      ["out", 0x40, 1, 0x10],
      ["out", 0x40, 1, 0x00],
    ]);
    board.pass(0x20);
    runSteps(board.ports, [
      ["in", 0x40, 1, 0xf0],
      ["in", 0x40, 1, 0xff],
    ]);
  });

  it("stands still in mode 0 while the gate is low", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x61, 1, 0x01],
      ["out", 0x43, 1, 0x90], // channel 2, low byte, mode 0
      ["out", 0x42, 1, 0x80],
    ]);
    board.pass(0x10);
    board.ports.out(0x61, 1, 0x00);
    board.pass(0x40);
    assert.equal(board.ports.in(0x42, 1), 0x70);
    board.ports.out(0x61, 1, 0x01);
    board.pass(0x10);
    assert.equal(board.ports.in(0x42, 1), 0x60);
  });

  it("starts a one-shot in mode 1 when the gate rises", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x92], // channel 2, low byte, mode 1
      ["out", 0x42, 1, 0x80],
    ]);
    assert.equal(board.ports.in(0x61, 1) & 0x20, 0x20);
    board.ports.out(0x61, 1, 0x01);
    assert.equal(board.ports.in(0x61, 1) & 0x20, 0x00);
    board.pass(0x80);
    assert.equal(board.ports.in(0x61, 1) & 0x20, 0x20);
  });

  it("reloads in mode 2 and interrupts once per period", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x34], // channel 0, both bytes, mode 2
      ["out", 0x40, 1, 0x9c],
      ["out", 0x40, 1, 0x2e], // 11932: 100 Hz
    ]);
    const start = board.clock.now;
    board.expire();
    assert.equal(board.irq0.edges, 2, "one from the initial high output, one from the timer");
    assert.ok(Math.abs(board.clock.now - start - 10_000_151) < 1000);
    board.expire();
    assert.equal(board.irq0.edges, 3);
    board.pass(1);
    runSteps(board.ports, [
      ["in", 0x40, 1, 0x9b],
      ["in", 0x40, 1, 0x2e],
    ]);
  });

  it("counts by two in mode 3, and its output is a square wave", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x61, 1, 0x01],
      ["out", 0x43, 1, 0xb6], // channel 2, both bytes, mode 3
      ["out", 0x42, 1, 0xe8],
      ["out", 0x42, 1, 0x03],
    ]);
    board.pass(100);
    runSteps(board.ports, [
      ["in", 0x42, 1, 0x20], // 800
      ["in", 0x42, 1, 0x03],
    ]);
    assert.equal(board.ports.in(0x61, 1) & 0x20, 0x20);
    board.pass(401);
    assert.equal(board.ports.in(0x61, 1) & 0x20, 0x00);
  });

  it("keeps a latched count until it is read", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x34],
      ["out", 0x40, 1, 0x00],
      ["out", 0x40, 1, 0x10],
    ]);
    board.pass(0x100);
    board.ports.out(0x43, 1, 0x00);
    board.pass(0x100);
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x00],
      ["in", 0x40, 1, 0x00],
      ["in", 0x40, 1, 0x0f],
      ["in", 0x40, 1, 0x00],
      ["in", 0x40, 1, 0x0e],
    ]);
  });

  it("answers a read-back with status, then count", () => {
    const board = new Board();
    board.ports.out(0x43, 1, 0x34);
    runSteps(board.ports, [
      ["out", 0x43, 1, 0xe2], // status of channel 0
      ["in", 0x40, 1, 0xf4], // OUT high, null count, both bytes, mode 2
      ["out", 0x40, 1, 0x00],
      ["out", 0x40, 1, 0x10],
      ["out", 0x43, 1, 0xc2], // status and count
      ["in", 0x40, 1, 0xb4],
      ["in", 0x40, 1, 0x00],
      ["in", 0x40, 1, 0x10],
    ]);
  });

  it("counts in decimal when asked to", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x35], // channel 0, mode 2, BCD
      ["out", 0x40, 1, 0x00],
      ["out", 0x40, 1, 0x10], // 1000
    ]);
    board.pass(1);
    runSteps(board.ports, [
      ["in", 0x40, 1, 0x99],
      ["in", 0x40, 1, 0x09],
    ]);
  });

  it("takes 0 as the largest count", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x34],
      ["out", 0x40, 1, 0x00],
      ["out", 0x40, 1, 0x00],
    ]);
    const start = board.clock.now;
    assert.ok(Math.abs(board.clock.deadline - start - 54_925_401) < 2000);
  });

  it("catches up with at most eight periods after a long absence", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x34],
      ["out", 0x40, 1, 0x9c],
      ["out", 0x40, 1, 0x2e],
    ]);
    board.clock.now += 60e9;
    const end = board.clock.now + 80e6;
    const before = board.irq0.edges;
    board.chip.expire(board.clock.now);
    for (; board.clock.deadline < end;) board.expire();
    const given = board.irq0.edges - before;
    assert.ok(given >= 15 && given <= 17, `${given} interrupts in 80 ms after the absence`);
  });

  it("makes up for periods although the host is always late, by more than half a period", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x34],
      ["out", 0x40, 1, 0x9c],
      ["out", 0x40, 1, 0x2e], // 11932: 10 ms
    ]);
    const start = board.clock.now;
    const before = board.irq0.edges;
    board.clock.now += 45e6;
    for (; board.clock.now < start + 1e9;) {
      board.chip.expire(board.clock.now);
      board.clock.now = board.clock.deadline + 7e6;
    }
    const given = board.irq0.edges - before;
    assert.ok(given >= 98, `${given} interrupts in a second`);
  });

  it("stops counting in mode 0 at the first byte of a new count", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x30],
      ["out", 0x40, 1, 0x00],
      ["out", 0x40, 1, 0x10],
    ]);
    board.pass(0x800);
    board.ports.out(0x40, 1, 0x00); // [8254] "Mode 0": counting is disabled, OUT goes low
    assert.equal(board.clock.deadline, Infinity);
    board.pass(0x1000);
    board.chip.expire(board.clock.now);
    assert.equal(board.irq0.level, 0);
    board.ports.out(0x40, 1, 0x20);
    board.expire();
    assert.equal(board.irq0.level, 1);
  });

  it("does not interrupt more often than every 50 us, whatever the count", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x14], // low byte, mode 2
      ["out", 0x40, 1, 0x02],
    ]);
    const start = board.clock.now;
    board.expire();
    board.expire();
    assert.ok(board.clock.now - start >= 100_000);
  });

  it("interrupts once in mode 0", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x30],
      ["out", 0x40, 1, 0x00],
      ["out", 0x40, 1, 0x40],
    ]);
    assert.equal(board.irq0.level, 0);
    board.expire();
    assert.equal(board.irq0.level, 1);
    assert.equal(board.clock.deadline, Infinity);
  });

  it("asks again when it is called early, and for nothing when stopped", () => {
    const board = new Board();
    board.ports.out(0x43, 1, 0x30);
    board.chip.expire(board.clock.now);
    assert.equal(board.clock.deadline, Infinity);
    runSteps(board.ports, [
      ["out", 0x40, 1, 0x00],
      ["out", 0x40, 1, 0x40],
    ]);
    const deadline = board.clock.deadline;
    board.clock.deadline = Infinity;
    board.chip.expire(board.clock.now);
    assert.equal(board.clock.deadline, deadline);
    assert.equal(board.irq0.edges, 0);
  });

  it("toggles the refresh bit", () => {
    const board = new Board();
    const first = board.ports.in(0x61, 1) & 0x10;
    board.clock.now += 15_085;
    assert.equal(board.ports.in(0x61, 1) & 0x10, first ^ 0x10);
  });

  it("goes on where it was after save and restore", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x43, 1, 0x34],
      ["out", 0x40, 1, 0x9c],
      ["out", 0x40, 1, 0x2e],
    ]);
    const other = new Board();
    other.chip.restore(structuredClone(board.chip.save()));
    assert.equal(other.clock.deadline, board.clock.deadline);
  });

  it("takes any guest input (P7)", () => {
    const board = new Board();
    assertDeviceTakesAnything(board.chip.ports, () => {
      board.clock.now += 12_345;
      board.chip.expire(board.clock.now);
    });
  });
});
