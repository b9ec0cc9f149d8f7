/** [PCI] PCI Local Bus Specification 2.1, 3.7.4.1 "Configuration mechanism #1" */
import assert from "node:assert/strict";
import { PciHostBridge } from "../../../devices/pci/host-bridge.js";
import { I440Fx } from "../../../devices/pci/i440fx.js";
import { Piix3 } from "../../../devices/pci/piix3.js";
import { XenPlatform } from "../../../devices/xen-platform.js";
import { assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "../port-driver.js";
import type { PortStep } from "../port-driver.js";

class Board {
  readonly arena = smallArena();
  readonly bridge = new PciHostBridge(this.arena, [
    new I440Fx(this.arena, { pamChanged: () => undefined }),
    new Piix3(this.arena, { routesChanged: () => undefined }),
    new XenPlatform(this.arena, { unplug: () => undefined, log: () => undefined }),
  ]);

  constructor() {
    this.bridge.reset();
  }

  run(...steps: readonly PortStep[]): void {
    runSteps(driveRanges(this.bridge.ports), steps);
  }
}

describe("PciHostBridge", () => {
  it("is found by the usual probe", () => {
    new Board().run(
      ["out", 0xcfb, 1, 0x01],
      ["out", 0xcf8, 4, 0x8000_0000],
      ["in", 0xcf8, 4, 0x8000_0000],
      ["in", 0xcfc, 4, 0x1237_8086],
    );
  });

  it("selects by device, function and register", () => {
    new Board().run(
      ["out", 0xcf8, 4, 0x8000_0800],
      ["in", 0xcfc, 4, 0x7000_8086],
      ["in", 0xcfe, 2, 0x7000],
      ["in", 0xcff, 1, 0x70],
      ["out", 0xcf8, 4, 0x8000_1008],
      ["in", 0xcfc, 4, 0xff80_0001],
    );
  });

  it("answers nothing where no function is, or on another bus (P2)", () => {
    new Board().run(
      ["out", 0xcf8, 4, 0x8000_1800],
      ["in", 0xcfc, 4, 0xffff_ffff],
      ["out", 0xcf8, 4, 0x8000_0900],
      ["in", 0xcfc, 2, 0xffff],
      ["out", 0xcf8, 4, 0x8001_0000],
      ["in", 0xcfc, 4, 0xffff_ffff],
      ["out", 0xcf8, 4, 0x8000_ff00],
      ["in", 0xcfc, 1, 0xff],
    );
  });

  it("answers nothing while the enable bit is clear, and drops reserved bits (P1)", () => {
    new Board().run(
      ["out", 0xcf8, 4, 0x7f00_0003],
      ["in", 0xcf8, 4, 0x0000_0000],
      ["in", 0xcfc, 4, 0xffff_ffff],
      ["out", 0xcf8, 4, 0xffff_ffff],
      ["in", 0xcf8, 4, 0x80ff_fffc],
    );
  });

  it("keeps narrow accesses away from the address register (P1)", () => {
    new Board().run(
      ["out", 0xcf8, 4, 0x8000_0800],
      ["out", 0xcf8, 1, 0xff],
      ["out", 0xcf8, 2, 0xffff],
      ["in", 0xcf8, 1, 0xff],
      ["in", 0xcf8, 2, 0xffff],
      ["in", 0xcf8, 4, 0x8000_0800],
    );
  });

  it("floats high past the data register (P2)", () => {
    new Board().run(
      ["out", 0xcf8, 4, 0x8000_0800],
      ["in", 0xcfe, 4, 0xffff_7000],
      ["out", 0xcf8, 4, 0x8000_1010],
      ["out", 0xcff, 4, 0xffff_ff00],
      ["in", 0xcfc, 4, 0x0000_0001],
    );
  });

  it("writes configuration, and its generation says when decoding may have changed", () => {
    const board = new Board();
    const before = board.bridge.generation();
    board.run(["out", 0xcf8, 4, 0x8000_1010], ["out", 0xcfc, 4, 0x0000_c200], ["in", 0xcfc, 4, 0x0000_c201]);
    assert.notEqual(board.bridge.generation(), before);
    assert.deepEqual(
      board.bridge.decodes().map(({ kind, base, length }) => ({ kind, base, length })),
      [{ kind: "io", base: 0xc200, length: 0x100 }],
    );
    const after = board.bridge.generation();
    board.run(["out", 0xcf8, 4, 0x8000_103c], ["out", 0xcfc, 1, 11], ["in", 0xcfc, 1, 11]);
    assert.equal(board.bridge.generation(), after);
  });

  it("drops what decodes while a BAR's decoding is off (P3)", () => {
    const board = new Board();
    board.run(
      ["out", 0xcf8, 4, 0x8000_1010],
      ["out", 0xcfc, 4, 0x0000_c200],
      ["out", 0xcf8, 4, 0x8000_1004],
      ["out", 0xcfc, 2, 0x0000],
    );
    assert.deepEqual(board.bridge.decodes(), []);
  });

  it("takes functions off the bus until a reset (U1)", () => {
    const board = new Board();
    const platform = board.bridge.functions.find(({ name }) => name === "xen-platform");
    assert(platform !== undefined);
    board.run(["out", 0xcf8, 4, 0x8000_1010], ["out", 0xcfc, 4, 0x0000_c200]);
    const before = board.bridge.generation();
    assert(board.bridge.remove(platform));
    assert.notEqual(board.bridge.generation(), before);
    assert(!board.bridge.remove(platform) && !board.bridge.isPresent(platform));
    assert.deepEqual(board.bridge.decodes(), []);
    board.run(["in", 0xcfc, 4, 0xffff_ffff], ["out", 0xcfc, 4, 0x0000_d000], ["in", 0xcfc, 2, 0xffff]);
    board.run(["out", 0xcf8, 4, 0x8000_0800], ["in", 0xcfc, 4, 0x7000_8086]);
    const other = new Board();
    other.bridge.restore(structuredClone(board.bridge.save()));
    other.run(["out", 0xcf8, 4, 0x8000_1000], ["in", 0xcfc, 4, 0xffff_ffff]);
    board.bridge.reset();
    assert(board.bridge.isPresent(platform));
    board.run(["out", 0xcf8, 4, 0x8000_1000], ["in", 0xcfc, 4, 0x0001_5853]);
  });

  it("refuses two functions in one place", () => {
    const arena = smallArena();
    const i440fx = (): I440Fx => new I440Fx(arena, { pamChanged: () => undefined });
    assert.throws(() => new PciHostBridge(arena, [i440fx(), i440fx()]), /i440fx is in its place/);
  });

  it("goes on where it was after save and restore, every function with it", () => {
    const board = new Board();
    board.run(["out", 0xcf8, 4, 0x8000_1010], ["out", 0xcfc, 4, 0x0000_c200]);
    const other = new Board();
    const before = other.bridge.generation();
    other.bridge.restore(structuredClone(board.bridge.save()));
    other.run(["in", 0xcf8, 4, 0x8000_1010], ["in", 0xcfc, 4, 0x0000_c201]);
    assert.notEqual(other.bridge.generation(), before);
  });

  it("takes any guest input (P1, P2, P6, P7)", () => {
    const board = new Board();
    const ports = driveRanges(board.bridge.ports);
    let address = 0x8000_0000;
    assertDeviceTakesAnything(board.bridge.ports, () => {
      address += 0x134;
      ports.out(0xcf8, 4, address);
      board.bridge.decodes();
    });
  });
});
