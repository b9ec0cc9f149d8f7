import assert from "node:assert/strict";
import {
  and,
  answer,
  arg0,
  buffer,
  configBytes,
  device,
  dwordField,
  eisaId,
  integer,
  method,
  name,
  or,
  pack,
  ref,
  scope,
  store,
  text,
  when,
} from "../../../../devices/boot/acpi/aml.js";

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

  it("encodes references of any number of segments", () => {
    assert.deepEqual(ref("LNKA"), [0x4c, 0x4e, 0x4b, 0x41]);
    assert.deepEqual(ref("\\A.B.C").slice(0, 3), [0x5c, 0x2f, 3]);
  });

  it("encodes expressions and statements, 20.2.5", () => {
    const x = ref("X");
    assert.deepEqual(and(x, integer(1)), [0x7b, ...x, 0x01, 0x00]);
    assert.deepEqual(or(x, integer(0)), [0x7d, ...x, 0x00, 0x00]);
    assert.deepEqual(store(arg0, x), [0x70, 0x68, ...x]);
    assert.deepEqual(when(x, answer(integer(1))), [0xa0, 0x07, ...x, 0xa4, 0x01]);
    assert.deepEqual(dwordField(arg0, 5, "IRQ"), [0x8a, 0x68, 0x0a, 0x05, 0x49, 0x52, 0x51, 0x5f]);
  });

  it("encodes a method with its arguments, serialized when it makes names", () => {
    assert.deepEqual(method("_STA", 0, answer(integer(1))), [0x14, 0x08, 0x5f, 0x53, 0x54, 0x41, 0x00, 0xa4, 0x01]);
    assert.equal(method("_SRS", 1, dwordField(arg0, 5, "IRQ"))[6], 0x09);
  });

  it("encodes bytes of PCI configuration space as fields of a region", () => {
    assert.deepEqual(configBytes("PIRQ", 0x60, ["PRQ0", "PRQ1"]), [
      ...[0x5b, 0x80, 0x50, 0x49, 0x52, 0x51, 0x02, 0x0a, 0x60, 0x0a, 0x02],
      ...[0x5b, 0x81, 0x10, 0x50, 0x49, 0x52, 0x51, 0x01],
      ...[0x50, 0x52, 0x51, 0x30, 0x08, 0x50, 0x52, 0x51, 0x31, 0x08],
    ]);
  });

  it("throws on names that AML cannot have", () => {
    assert.throws(() => name("toolong", integer(0)), RangeError);
    assert.throws(() => name("1ABC", integer(0)), RangeError);
    assert.throws(() => pack(...new Array<readonly number[]>(256).fill([0])), RangeError);
  });
});
