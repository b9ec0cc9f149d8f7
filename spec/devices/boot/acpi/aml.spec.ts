import assert from "node:assert/strict";
import { buffer, device, eisaId, integer, name, pack, scope, text } from "../../../../devices/boot/acpi/aml.js";

/** Expected bytes are put together by hand from ACPI 6.5, 20.2. */
describe("AML", () => {
  const integers: readonly [number, readonly number[]][] = [
    [0, [0x00]],
    [1, [0x01]],
    [2, [0x0a, 0x02]],
    [0xff, [0x0a, 0xff]],
    [0x100, [0x0b, 0x00, 0x01]],
    [0xffff, [0x0b, 0xff, 0xff]],
    [0x1_0000, [0x0c, 0x00, 0x00, 0x01, 0x00]],
    [0xffff_ffff, [0x0c, 0xff, 0xff, 0xff, 0xff]],
  ];
  for (const [value, bytes] of integers) {
    it(`encodes the integer ${value}`, () => {
      assert.deepEqual(integer(value), bytes);
    });
  }

  it("encodes a string with its zero", () => {
    assert.deepEqual(text("AB"), [0x0d, 0x41, 0x42, 0x00]);
  });

  it("compresses EISA ids as 19.3.4 tells: PNP0A03 is 0x030ad041", () => {
    assert.deepEqual(eisaId("PNP0A03"), [0x0c, 0x41, 0xd0, 0x0a, 0x03]);
    assert.deepEqual(eisaId("PNP0C02"), [0x0c, 0x41, 0xd0, 0x0c, 0x02]);
  });

  it("pads names with underscores", () => {
    assert.deepEqual(name("_S5", integer(0)), [0x08, 0x5f, 0x53, 0x35, 0x5f, 0x00]);
  });

  it("counts the length's own bytes in a package length", () => {
    assert.deepEqual(pack(integer(0), integer(5)), [0x12, 0x05, 0x02, 0x00, 0x0a, 0x05]);
    assert.deepEqual(buffer([7]), [0x11, 0x03, 0x01, 0x07]);
  });

  const lengths: readonly [number, readonly number[]][] = [
    [59, [0x11, 0x3e]],
    [60, [0x11, 0x3f]],
    [61, [0x11, 0x41, 0x04]],
    [0xff, [0x11, 0x43, 0x10]],
    [0xffa, [0x11, 0x4f, 0xff]],
    [0xffb, [0x11, 0x81, 0x00, 0x01]],
    [0x1_0000, [0x11, 0x88, 0x00, 0x10]],
    [0x10_0000, [0x11, 0xc9, 0x00, 0x00, 0x01]],
  ];
  for (const [size, start] of lengths) {
    it(`encodes a buffer of ${size} bytes`, () => {
      assert.deepEqual(buffer(new Array<number>(size).fill(0xaa)).slice(0, start.length), start);
    });
  }

  it("encodes scopes with absolute and dual names", () => {
    assert.deepEqual(scope("\\_SB"), [0x10, 0x06, 0x5c, 0x5f, 0x53, 0x42, 0x5f]);
    assert.deepEqual(scope("_SB.PCI0"), [0x10, 0x0a, 0x2e, 0x5f, 0x53, 0x42, 0x5f, 0x50, 0x43, 0x49, 0x30]);
    assert.deepEqual(scope("\\"), [0x10, 0x03, 0x5c, 0x00]);
  });

  it("encodes devices with their terms", () => {
    assert.deepEqual(device("ISA", name("_UID", integer(1))), [
      ...[0x5b, 0x82, 0x0b, 0x49, 0x53, 0x41, 0x5f],
      ...[0x08, 0x5f, 0x55, 0x49, 0x44, 0x01],
    ]);
  });

  it("throws on names that AML cannot have", () => {
    assert.throws(() => name("toolong", integer(0)), RangeError);
    assert.throws(() => name("1ABC", integer(0)), RangeError);
    assert.throws(() => scope("\\A.B.C"), RangeError);
    assert.throws(() => pack(...new Array<readonly number[]>(256).fill([0])), RangeError);
  });
});
