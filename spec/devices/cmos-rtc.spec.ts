/** [MC146818A] Motorola MC146818A, ADI1026 */
import assert from "node:assert/strict";
import { CmosRtc } from "../../devices/cmos-rtc.js";
import {
  ManualClock,
  RecordedLine,
  assertDeviceTakesAnything,
  driveRanges,
  runSteps,
  smallArena,
} from "./port-driver.js";

const MIB = 1024 * 1024;

class Board {
  readonly clock = new ManualClock();
  /** 2026-03-15 (a Sunday) 14:07:58.500 UTC at the start. */
  wall = Date.UTC(2026, 2, 15, 14, 7, 58, 500);
  readonly irq8 = new RecordedLine();
  readonly chip = new CmosRtc(
    smallArena(),
    { nowNs: this.clock.nowNs, arm: this.clock.arm, wallClock: () => this.wall, irq8: this.irq8 },
    { lowRamBytes: 512 * MIB, highRamBytes: 0, vcpus: 2, bootOrder: "cdn", bootOnce: "nd" },
  );
  readonly ports = driveRanges(this.chip.ports);

  constructor() {
    this.chip.reset();
  }

  pass(ms: number): void {
    this.clock.now += ms * 1e6;
    this.wall += ms;
  }

  /** Lets time pass up to the deadline and calls the chip. */
  expire(): void {
    this.pass((this.clock.deadline - this.clock.now) / 1e6);
    this.chip.expire(this.clock.now);
  }

  get(index: number): number {
    this.ports.out(0x70, 1, index);
    return this.ports.in(0x71, 1);
  }

  put(index: number, value: number): void {
    this.ports.out(0x70, 1, index);
    this.ports.out(0x71, 1, value);
  }
}

describe("CmosRtc", () => {
  it("shows the host's time in BCD", () => {
    const board = new Board();
    assert.deepEqual(
      [0, 2, 4, 6, 7, 8, 9, 0x32].map((index) => board.get(index)),
      [0x58, 0x07, 0x14, 0x01, 0x15, 0x03, 0x26, 0x20],
    );
  });

  it("moves on with the host's clock", () => {
    const board = new Board();
    board.pass(2000);
    assert.equal(board.get(0), 0x00);
    assert.equal(board.get(2), 0x08);
  });

  it("raises UIP in the last 2.2 ms of each second", () => {
    const board = new Board();
    assert.equal(board.get(0x0a), 0x26);
    board.pass(498);
    assert.equal(board.get(0x0a), 0xa6);
    board.pass(2);
    assert.equal(board.get(0x0a), 0x26);
  });

  it("stands still while SET is on, and goes on from what was written", () => {
    const board = new Board();
    board.put(0x0b, 0x82);
    board.pass(5000);
    assert.equal(board.get(0), 0x58);
    board.put(0x04, 0x20);
    board.put(0x0b, 0x02);
    board.pass(2000);
    assert.equal(board.get(0x04), 0x20);
    assert.equal(board.get(0), 0x00);
  });

  it("updates half a second after the divider leaves reset", () => {
    const board = new Board();
    board.put(0x0b, 0x82);
    board.put(0x0a, 0x76);
    board.put(0x00, 0x10);
    board.put(0x0b, 0x02);
    board.put(0x0a, 0x26);
    board.pass(499);
    assert.equal(board.get(0), 0x10);
    board.pass(1);
    assert.equal(board.get(0), 0x11);
  });

  it("takes a time written to the running clock at once", () => {
    const board = new Board();
    board.put(0x04, 0x23);
    assert.equal(board.get(0x04), 0x23);
    assert.equal(board.get(0x00), 0x58);
  });

  it("interrupts at each second while update interrupts are on", () => {
    const board = new Board();
    board.put(0x0b, 0x12);
    board.expire();
    assert.equal(board.irq8.level, 1);
    assert.equal(board.clock.deadline, Infinity, "nothing more until register C is read");
    assert.equal(board.get(0x0c), 0xd0); // periodic flag as well, which has no enable
    assert.equal(board.irq8.level, 0);
    assert.equal(board.get(0x0c), 0x00);
    board.expire();
    assert.equal(board.irq8.edges, 2);
  });

  it("interrupts when the alarm matches", () => {
    const board = new Board();
    board.put(1, 0x01);
    board.put(3, 0x08);
    board.put(5, 0xff);
    board.put(0x0b, 0x22);
    board.expire();
    assert.equal(board.get(0), 0x01);
    assert.equal(board.get(0x0c), 0xf0);
    assert.equal(board.irq8.edges, 1);
  });

  it("interrupts at the periodic rate", () => {
    const board = new Board();
    board.put(0x0a, 0x26); // 1024 Hz
    board.put(0x0b, 0x42);
    const start = board.clock.now;
    board.expire();
    assert.equal(board.get(0x0c), 0xc0);
    board.expire();
    assert.equal(board.irq8.edges, 2);
    assert.ok(board.clock.now - start <= 2 * 976_563);
  });

  it("sets flags without interrupts being enabled", () => {
    const board = new Board();
    board.pass(1000);
    assert.equal(board.get(0x0c), 0x50);
    assert.equal(board.irq8.edges, 0);
  });

  it("takes the update interrupt's enable away when SET is written", () => {
    const board = new Board();
    board.put(0x0b, 0x92);
    assert.equal(board.get(0x0b), 0x82);
  });

  it("says that its memory is valid, and that the index port cannot be read", () => {
    const board = new Board();
    assert.equal(board.get(0x0d), 0x80);
    assert.equal(board.ports.in(0x70, 1), 0xff);
  });

  it("ignores the NMI bit of the index", () => {
    const board = new Board();
    runSteps(board.ports, [
      ["out", 0x70, 1, 0xc0],
      ["out", 0x71, 1, 0x5a],
      ["out", 0x70, 1, 0x40],
      ["in", 0x71, 1, 0x5a],
    ]);
  });

  it("has the memory sizes of the board", () => {
    const board = new Board();
    assert.deepEqual(
      [0x34, 0x35, 0x5f].map((index) => board.get(index)),
      [0x00, 0x1f, 0x01],
    ); // 496 MiB / 64 KiB
  });

  it("has the order of boot devices that is for once until it is reset", () => {
    const board = new Board();
    assert.equal(board.get(0x3d), 0x34);
    board.chip.reset();
    assert.equal(board.get(0x3d), 0x32);
  });

  it("keeps time, alarm and memory over a reset, as the battery does, and turns interrupts off (RESET)", () => {
    const board = new Board();
    board.put(0x0b, 0x7a);
    board.put(0x05, 0x11);
    board.put(0x04, 0x03);
    board.put(0x0f, 0x05);
    board.put(0x34, 0xee);
    board.chip.reset();
    assert.deepEqual(
      [0x04, 0x05, 0x0b, 0x0f].map((index) => board.get(index)),
      [0x03, 0x11, 0x02, 0x05],
    );
    assert.equal(board.get(0x34), 0x00, "the size of memory is the board's");
    assert.equal(board.clock.deadline, Infinity);
    board.pass(3_600_000);
    assert.equal(board.get(0x04), 0x04);
  });

  it("shows the time of day after a pause, and an alarm that fell into it or comes sooner now", () => {
    const board = new Board();
    board.put(0x01, 0x00);
    board.put(0x03, 0x00);
    board.put(0x05, 0x15);
    board.put(0x0b, 0x22);
    // 14:07:58.5; the machine's time stands still.
    board.wall += 30 * 60_000;
    board.chip.expire(board.clock.now);
    assert.deepEqual([board.get(0x04), board.get(0x02), board.get(0x00)], [0x14, 0x37, 0x58]);
    assert.deepEqual([board.irq8.level, board.clock.deadline - board.clock.now], [0, (22 * 60 + 1.5) * 1e9]);
    board.wall += 30 * 60_000;
    board.chip.expire(board.clock.now);
    assert.equal(board.irq8.level, 1);
  });

  it("follows a host's clock that jumps back by a day or ahead by years, with one alarm at most", () => {
    const board = new Board();
    board.put(0x01, 0x00);
    board.put(0x03, 0x08);
    board.put(0x05, 0xff);
    board.put(0x0b, 0x22);
    // The alarm of 14:08:00 is a second and a half away, until the clock jumps.
    board.wall -= 86_400_000;
    board.expire();
    assert.deepEqual([board.get(0x07), board.irq8.edges], [0x14, 1]);
    board.wall += 5 * 365 * 86_400_000;
    board.chip.expire(board.clock.now);
    assert.equal(board.get(0x09), 0x31);
    assert(board.irq8.edges <= 2);
    assert(board.clock.deadline > board.clock.now);
  });

  it("shows the century, also of years that are not of this one", () => {
    const board = new Board();
    board.wall = Date.UTC(1999, 11, 31, 23, 59, 59);
    board.chip.reset();
    assert.deepEqual([board.get(0x32), board.get(0x09)], [0x19, 0x99]);
    board.pass(1000);
    assert.deepEqual([board.get(0x32), board.get(0x09), board.get(0x08), board.get(0x07)], [0x20, 0x00, 0x01, 0x01]);
  });

  it("goes on where it was after save and restore", () => {
    const board = new Board();
    board.put(0x04, 0x03);
    board.put(0x0b, 0x12);
    const other = new Board();
    other.chip.restore(structuredClone(board.chip.save()));
    assert.equal(other.get(0x04), 0x03);
    assert.equal(other.clock.deadline, board.clock.deadline);
  });

  it("takes any guest input (P7)", () => {
    const board = new Board();
    assertDeviceTakesAnything(board.chip.ports, () => {
      board.pass(777);
      board.chip.expire(board.clock.now);
    });
  });
});
