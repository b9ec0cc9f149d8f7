/** [FWCFG] QEMU docs/specs/fw_cfg.rst */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FwCfg, FwCfgKey, madeOnce } from "../../devices/fw-cfg.js";
import { gpa } from "../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";
import { assertDeviceTakesAnything, driveRanges, smallArena } from "./port-driver.js";

const RAM = 64 * 1024;
const ACCESS = 0x100;
const TARGET = 0x200;
/** Bits of FWCfgDmaAccess's control word. */
const [ERROR, READ, SKIP, SELECT, WRITE] = [1, 2, 4, 8, 16];

class Board {
  readonly ram = new MemoryRegion(gpa(0), RAM, new SharedArrayBuffer(RAM));
  readonly device = new FwCfg(smallArena(), new GuestMemory([this.ram]), {
    items: [
      { key: FwCfgKey.nbCpus, data: Uint8Array.of(2, 0) },
      { key: FwCfgKey.kernelCmdline, data: new TextEncoder().encode("quiet\0") },
    ],
    files: [
      { name: "etc/e820", data: Uint8Array.of(1, 2, 3) },
      { name: "bootorder", data: () => Uint8Array.of(9) },
    ],
  });
  readonly ports = driveRanges(this.device.ports);

  constructor() {
    this.device.reset();
  }

  /** Bytes of the item behind `key`, one by one. */
  item(key: number, length: number): readonly number[] {
    this.ports.out(0x510, 2, key);
    return Array.from({ length }, () => this.ports.in(0x511, 1));
  }

  /** One transfer; gives the control word that it leaves. */
  dma(control: number, length: number, address = TARGET, at = ACCESS): number {
    const { view } = this.ram;
    view.setUint32(ACCESS, control);
    view.setUint32(ACCESS + 4, length);
    view.setBigUint64(ACCESS + 8, BigInt(address));
    const register = new DataView(new ArrayBuffer(8));
    register.setBigUint64(0, BigInt(at));
    // The register is big-endian: so are the two halves that a little-endian processor writes.
    this.ports.out(0x514, 4, register.getUint32(0, true));
    this.ports.out(0x518, 4, register.getUint32(4, true));
    return view.getUint32(ACCESS);
  }

  target(length: number): readonly number[] {
    return [...this.ram.bytes.subarray(TARGET, TARGET + length)];
  }
}

describe("FwCfg", () => {
  it("signs as QEMU's interface with DMA", () => {
    const board = new Board();
    assert.deepEqual(board.item(0x00, 4), [0x51, 0x45, 0x4d, 0x55]);
    assert.deepEqual(board.item(0x01, 4), [3, 0, 0, 0]);
    // "QEMU CFG", in the order of addresses.
    assert.deepEqual([board.ports.in(0x514, 4), board.ports.in(0x518, 4)], [0x554d_4551, 0x4746_4320]);
    assert.equal(board.ports.in(0x51b, 1), 0x47);
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
    const memory = new GuestMemory([]);
    assert.throws(() => new FwCfg(smallArena(), memory, { items: [item, item], files: [] }), RangeError);
    const files = [{ name: "n".repeat(56), data: item.data }];
    assert.throws(() => new FwCfg(smallArena(), memory, { items: [], files }), RangeError);
  });

  it("makes bytes when they are first wanted, once where they never change", () => {
    let made = 0;
    const data = madeOnce(() => Uint8Array.of(++made));
    assert.deepEqual([made, ...data(), ...data()], [0, 1, 1]);
    assert.deepEqual(new Board().item(0x20, 2), [9, 0]);
  });

  describe("by DMA", () => {
    it("selects and reads in one request, and goes on where it was", () => {
      const board = new Board();
      assert.equal(board.dma((0x21 << 16) | SELECT | READ, 2), 0);
      assert.deepEqual(board.target(3), [1, 2, 0]);
      assert.equal(board.dma(READ, 1), 0);
      assert.deepEqual(board.target(2), [3, 2]);
    });

    it("fills up with zeros after an item's end, and without an item", () => {
      const board = new Board();
      board.ram.bytes.fill(0xee, TARGET, TARGET + 8);
      assert.equal(board.dma((0x21 << 16) | SELECT | READ, 5), 0);
      assert.deepEqual(board.target(6), [1, 2, 3, 0, 0, 0xee]);
      assert.equal(board.dma((0xffff << 16) | SELECT | READ, 6), 0);
      assert.deepEqual(board.target(7), [0, 0, 0, 0, 0, 0, 0xee]);
    });

    it("skips", () => {
      const board = new Board();
      assert.equal(board.dma((0x09 << 16) | SELECT | SKIP, 3), 0);
      assert.equal(board.ports.in(0x511, 1), "e".charCodeAt(0));
      assert.equal(board.dma(SKIP, 0xff_ffff), 0);
      assert.equal(board.ports.in(0x511, 1), 0);
    });

    it("only selects when nothing else is asked", () => {
      const board = new Board();
      assert.equal(board.dma((0x05 << 16) | SELECT, 0xffff_ffff, -1 >>> 0), 0);
      assert.equal(board.ports.in(0x511, 1), 2);
    });

    it("fails to write: no item takes that", () => {
      const board = new Board();
      assert.equal(board.dma((0x05 << 16) | SELECT | WRITE, 1), ERROR);
      assert.deepEqual(board.item(0x05, 1), [2]);
    });

    it("fails when the target is not memory, or asked for absurdly much, and copies nothing (P10)", () => {
      const board = new Board();
      for (const [length, address] of [
        [4, RAM - 2],
        [4, RAM],
        [4, 2 ** 40],
        [0x100_0001, 0],
        [0xffff_ffff, 0],
      ] as const) {
        assert.equal(board.dma((0x21 << 16) | SELECT | READ, length, address), ERROR);
      }
      assert.deepEqual([...board.ram.bytes.subarray(RAM - 2)], [0, 0]);
      assert.equal(board.dma(SKIP, 0x100_0001), ERROR);
    });

    it("does nothing for a request that is not in memory (P10)", () => {
      const board = new Board();
      const asked = (0x21 << 16) | SELECT | READ;
      for (const at of [RAM - 8, RAM, 2 ** 32, 2 ** 52]) assert.equal(board.dma(asked, 1, TARGET, at), asked);
      assert.deepEqual(board.target(1), [0]);
    });

    it("takes halves of the address only as dwords, and forgets the upper one after a transfer", () => {
      const board = new Board();
      board.ports.out(0x514, 4, 0xffff_ffff);
      board.ports.out(0x516, 2, 0x1234);
      board.ports.out(0x518, 1, 0x12);
      assert.equal(board.dma((0x21 << 16) | SELECT | READ, 1), 0);
      board.ram.view.setUint32(ACCESS, READ);
      board.ports.out(0x518, 4, 0x0001_0000);
      assert.deepEqual(board.target(1), [2], "the low half alone starts a transfer below 4 GiB");
    });

    it("takes any request, wherever it lies over its own target (P10)", () => {
      const board = new Board();
      const far = fc.oneof(fc.nat(RAM + 16), fc.constantFrom(2 ** 32 - 1, 2 ** 52));
      const length = fc.oneof(fc.nat(64), fc.constantFrom(0xffff_ffff, 0x8000_0000));
      fc.assert(
        fc.property(fc.nat(0xffff_ffff), length, far, far, (control, count, address, at) => {
          board.dma(control, count, address, at);
          assert(board.ports.in(0x511, 1) <= 0xff);
        }),
      );
    });
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
