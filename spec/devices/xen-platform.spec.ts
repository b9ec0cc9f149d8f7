/** [UNPLUG] xen.git docs/misc/hvm-emulated-unplug.pandoc */
import assert from "node:assert/strict";
import { XenPlatform } from "../../devices/xen-platform.js";
import { assertDeviceTakesAnything, assertTakesAnything, driveRanges, runSteps, smallArena } from "./port-driver.js";
import type { PortStep } from "./port-driver.js";

class Board {
  readonly unplugs: number[] = [];
  readonly lines: string[] = [];
  readonly device = new XenPlatform(smallArena(), {
    unplug: (mask) => {
      this.unplugs.push(mask);
    },
    log: (line) => {
      this.lines.push(line);
    },
  });

  constructor() {
    this.device.reset();
  }

  run(...steps: readonly PortStep[]): void {
    runSteps(driveRanges(this.device.ports), steps);
  }

  /** Places BAR 0 at 0xc000 and drives it. */
  bar0(...steps: readonly PortStep[]): void {
    this.device.writeConfig(0x10, 4, 0xc000);
    const [bar] = this.device.decodes();
    assert.ok(bar !== undefined && bar.enabled && bar.base === 0xc000);
    for (const [direction, port, size, value] of steps) {
      if (direction === "out") bar.handler.write(port - bar.base, size, value);
      else assert.equal(bar.handler.read(port - bar.base, size), value);
    }
  }
}

describe("XenPlatform", () => {
  it("shows magic, protocol version and flags by width of access", () => {
    new Board().run(
      ["in", 0x10, 2, 0x49d2],
      ["in", 0x12, 1, 0x01],
      ["in", 0x10, 1, 0x00],
      ["in", 0x10, 4, 0xffff_ffff],
      ["in", 0x12, 2, 0xffff],
      ["in", 0x11, 1, 0xff],
      ["in", 0x1f, 1, 0xff],
    );
  });

  it("unplugs what the mask says", () => {
    const board = new Board();
    board.run(["out", 0x10, 2, 0x0001], ["out", 0x10, 2, 0x0003]);
    assert.deepEqual(board.unplugs, [1, 3]);
  });

  it("passes on known bits only, twice if asked twice (U1)", () => {
    const board = new Board();
    board.run(["out", 0x10, 2, 0xffff], ["out", 0x10, 2, 0xffff], ["out", 0x10, 2, 0xfff0]);
    assert.deepEqual(board.unplugs, [0x0f, 0x0f]);
  });

  it("takes product and build in any order, before the magic was read (U3)", () => {
    const board = new Board();
    board.run(["out", 0x10, 4, 0x0001_0203], ["out", 0x12, 2, 0x0003]);
    assert.equal(board.device.product, 3);
    assert.deepEqual(board.unplugs, []);
    assert.deepEqual(board.lines, []);
  });

  it("keeps bit 0 of the flags", () => {
    new Board().run(["out", 0x10, 1, 0xff], ["in", 0x10, 1, 0x01], ["out", 0x10, 1, 0x00], ["in", 0x10, 1, 0x00]);
  });

  it("logs lines that come in by bytes", () => {
    const board = new Board();
    for (const character of "hello\nworld") board.run(["out", 0x12, 1, character.charCodeAt(0)]);
    assert.deepEqual(board.lines, ["hello"]);
  });

  it("cuts a log line that does not end (U2)", () => {
    const board = new Board();
    for (let count = 0; count < 10_000; count++) board.run(["out", 0x12, 1, 0x1b]);
    assert.deepEqual(
      board.lines.map(({ length }) => length),
      [4096, 4096],
    );
  });

  it("takes the older unplug writes in BAR 0 (U4)", () => {
    const board = new Board();
    board.bar0(
      ["out", 0xc004, 1, 1],
      ["out", 0xc004, 4, 1],
      ["out", 0xc004, 1, 2],
      ["out", 0xc008, 1, 1],
      ["out", 0xc008, 1, 2],
    );
    assert.deepEqual(board.unplugs, [3, 3, 1, 2]);
    assert.deepEqual(board.lines, []);
  });

  it("logs other bytes at BAR 0's log register", () => {
    const board = new Board();
    board.bar0(
      ["out", 0xc008, 1, 0x41],
      ["out", 0xc008, 1, 0x0a],
      ["in", 0xc000, 1, 0x00],
      ["in", 0xc000, 4, 0xffff_ff00],
    );
    assert.deepEqual(board.lines, ["A"]);
  });

  it("reads as zero all over BAR 1 and ignores writes (U4)", () => {
    const { device } = new Board();
    device.writeConfig(0x14, 4, 0xf000_0000);
    const bar = device.decodes()[1];
    assert.ok(bar !== undefined);
    assert.deepEqual(
      { kind: bar.kind, base: bar.base, length: bar.length, enabled: bar.enabled },
      { kind: "mmio", base: 0xf000_0000, length: 0x100_0000, enabled: true },
    );
    bar.handler.write(0x123456, 4, 0xffff_ffff);
    assert.equal(bar.handler.read(0x123456, 4), 0);
    assertTakesAnything(bar.handler, bar.length);
  });

  it("is known by its PCI ids", () => {
    const { device } = new Board();
    assert.equal(device.readConfig(0x00, 4), 0x0001_5853);
    assert.equal(device.readConfig(0x08, 4), 0xff80_0001);
    assert.equal(device.readConfig(0x2c, 4), 0x0001_5853);
    assert.equal(device.readConfig(0x3c, 4), 0x0000_0100);
    assert.equal(device.readConfig(0x04, 2), 0x0003);
  });

  it("is as new after reset", () => {
    const board = new Board();
    board.run(["out", 0x12, 1, 0x41], ["out", 0x12, 2, 7], ["out", 0x10, 1, 1]);
    board.device.reset();
    board.run(["in", 0x10, 1, 0x00], ["out", 0x12, 1, 0x0a]);
    assert.equal(board.device.product, 0);
    assert.deepEqual(board.lines, [""]);
  });

  it("goes on where it was after save and restore", () => {
    const board = new Board();
    board.run(["out", 0x12, 1, 0x41], ["out", 0x12, 2, 7]);
    board.device.writeConfig(0x10, 4, 0xc000);
    const other = new Board();
    other.device.restore(structuredClone(board.device.save()));
    other.run(["out", 0x12, 1, 0x0a]);
    assert.deepEqual(other.lines, ["A"]);
    assert.equal(other.device.product, 7);
    assert.equal(other.device.readConfig(0x10, 4), 0xc001);
  });

  it("takes any guest input (P7)", () => {
    const { device } = new Board();
    assertDeviceTakesAnything(device.ports);
    for (const { handler } of device.decodes()) assertTakesAnything(handler, 0x100);
  });
});
