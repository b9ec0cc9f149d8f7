/** [FWCFG] QEMU docs/specs/fw_cfg.rst */
import assert from "node:assert/strict";
import { FwCfg, FwCfgKey } from "../../devices/fw-cfg.js";
import { assertDeviceTakesAnything, driveRanges, smallArena } from "./port-driver.js";

class Board {
  readonly device = new FwCfg(
    smallArena(),
    [
      { key: FwCfgKey.nbCpus, data: Uint8Array.of(2, 0) },
      { key: FwCfgKey.kernelCmdline, data: new TextEncoder().encode("quiet\0") },
    ],
    [
      { name: "etc/e820", data: Uint8Array.of(1, 2, 3) },
      { name: "bootorder", data: Uint8Array.of(9) },
    ],
  );
  readonly ports = driveRanges(this.device.ports);

  constructor() {
    this.device.reset();
  }

  /** Bytes of the item behind `key`, one by one. */
  item(key: number, length: number): readonly number[] {
    this.ports.out(0x510, 2, key);
    return Array.from({ length }, () => this.ports.in(0x511, 1));
  }
}

describe("FwCfg", () => {
  it("signs as QEMU's interface without DMA", () => {
    const board = new Board();
    assert.deepEqual(board.item(0x00, 4), [0x51, 0x45, 0x4d, 0x55]);
    assert.deepEqual(board.item(0x01, 4), [1, 0, 0, 0]);
  });

  it("gives an item from its start at each selection, and zeros after its end", () => {
    const board = new Board();
    assert.deepEqual(board.item(0x05, 3), [2, 0, 0]);
    assert.deepEqual(board.item(0x05, 1), [2]);
  });

  it("gives several bytes to a wide read", () => {
    const board = new Board();
    board.ports.out(0x510, 2, 0x09);
    assert.equal(board.ports.in(0x511, 4), 0x6569_7571); // "quie"
    assert.equal(board.ports.in(0x511, 4), 0x0000_0074);
  });

  it("lists its files by name, in big endian", () => {
    const directory = new Board().item(0x19, 4 + 2 * 64);
    const name = (entry: number): string =>
      String.fromCharCode(...directory.slice(4 + entry * 64 + 8, 4 + entry * 64 + 8 + 9)).replaceAll("\0", "");
    assert.deepEqual(directory.slice(0, 4), [0, 0, 0, 2]);
    assert.deepEqual(directory.slice(4, 12), [0, 0, 0, 1, 0x00, 0x20, 0, 0]);
    assert.equal(name(0), "bootorder");
    assert.deepEqual(directory.slice(68, 76), [0, 0, 0, 3, 0x00, 0x21, 0, 0]);
    assert.equal(name(1), "etc/e820");
  });

  it("gives a file behind the key that the directory names", () => {
    assert.deepEqual(new Board().item(0x21, 3), [1, 2, 3]);
  });

  it("has nothing behind keys that were never offered (P10, CVE-2016-1714)", () => {
    const board = new Board();
    assert.deepEqual(board.item(0xffff, 2), [0, 0]);
    assert.deepEqual(board.item(0x3fff, 2), [0, 0]);
  });

  it("selects by 16-bit writes only, and takes no data", () => {
    const board = new Board();
    board.item(0x05, 0);
    board.ports.out(0x510, 1, 0x00);
    board.ports.out(0x511, 1, 0x77);
    assert.equal(board.ports.in(0x511, 1), 2);
    assert.deepEqual(board.item(0x05, 1), [2]);
  });

  it("refuses two items under one key, and names that do not fit", () => {
    const item = { key: 0x05, data: Uint8Array.of(1) };
    assert.throws(() => new FwCfg(smallArena(), [item, item], []), RangeError);
    assert.throws(() => new FwCfg(smallArena(), [], [{ name: "n".repeat(56), data: item.data }]), RangeError);
  });

  it("goes on where it was after save and restore", () => {
    const board = new Board();
    board.item(0x21, 1);
    const other = new Board();
    other.device.restore(structuredClone(board.device.save()));
    assert.equal(other.ports.in(0x511, 1), 2);
  });

  it("takes any guest input (P7)", () => {
    assertDeviceTakesAnything(new Board().device.ports);
  });
});
