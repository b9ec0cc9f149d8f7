import assert from "node:assert/strict";
import fc from "fast-check";
import { bytes, i32, struct, u16, u32, u64, u64a4, u64n, u64n4, u8 } from "../../shared/struct.js";
import type { FieldType } from "../../shared/struct.js";

/** The values that each type carries without loss. */
const NUMBERS = [
  ["u8", u8, fc.nat(0xff)],
  ["u16", u16, fc.nat(0xffff)],
  ["u32", u32, fc.nat(0xffff_ffff)],
  ["i32", i32, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
  ["u64n", u64n, fc.maxSafeNat()],
  ["u64n4", u64n4, fc.maxSafeNat()],
] as const satisfies readonly (readonly [string, FieldType<number>, fc.Arbitrary<number>])[];

/** Where in the buffer the struct is put: not only at 0. */
const places = fc.nat(40);

describe("struct()", () => {
  for (const [name, type, values] of NUMBERS) {
    it(`reads back what was written to a ${name}, wherever it is`, () => {
      const one = struct("one", type.size, () => ({ field: type }));
      fc.assert(
        fc.property(values, places, (value, at) => {
          const view = one.view(new SharedArrayBuffer(64)).at(at);
          view.field = value;
          assert.equal(view.field, value);
        }),
      );
    });
  }

  for (const [name, type] of [
    ["u64", u64],
    ["u64a4", u64a4],
  ] as const) {
    it(`keeps all 64 bits of a ${name}`, () => {
      const one = struct("one", 8, () => ({ field: type }));
      fc.assert(
        fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), places, (value, at) => {
          const view = one.view(new SharedArrayBuffer(64)).at(at);
          view.field = value;
          assert.equal(view.field, value);
        }),
      );
    });
  }

  it("gives -1 in a u64n all 64 bits, as KVM wants for 'nowhere'", () => {
    const buffer = new SharedArrayBuffer(8);
    struct("one", 8, () => ({ field: u64n })).view(buffer).field = -1;
    assert.equal(new DataView(buffer).getBigUint64(0), 2n ** 64n - 1n);
  });

  it("stores little-endian", () => {
    const buffer = new SharedArrayBuffer(16);
    const view = struct("s", 16, () => ({ a: u16, b: u32, c: u64n })).view(buffer);
    view.a = 0x0102;
    view.b = 0x0304_0506;
    view.c = 0x1_0000_0002;
    assert.deepEqual([...new Uint8Array(buffer)], [2, 1, 0, 0, 6, 5, 4, 3, 2, 0, 0, 0, 1, 0, 0, 0]);
  });

  it("aligns fields and the whole as C does", () => {
    const mixed = struct("mixed", 32, () => ({ a: u8, b: u64, c: u16, d: u32, e: u8, f: bytes(3), g: u8 }));
    assert.deepEqual(mixed.offsets, { a: 0, b: 8, c: 16, d: 20, e: 24, f: 25, g: 28 });
    const compat = struct("compat", 16, () => ({ a: u32, b: u64a4, c: u32 }));
    assert.deepEqual(compat.offsets, { a: 0, b: 4, c: 12 });
  });

  it("throws, when it is used, that the fields do not add up to sizeof", () => {
    assert.throws(
      () => struct("short", 8, () => ({ a: u32 })).offsets,
      /struct short: its fields take 4 bytes, sizeof is 8/,
    );
    assert.throws(
      () => struct("long", 4, () => ({ a: u32, b: u8 })).view(new SharedArrayBuffer(8)),
      /its fields take 8 bytes, sizeof is 4/,
    );
  });

  it("touches no neighbour when it writes one field", () => {
    const mixed = struct("mixed", 24, () => ({ a: u8, b: u64, c: u16, d: bytes(2) }));
    fc.assert(
      fc.property(fc.constantFrom("a" as const, "c" as const), fc.nat(255), (field, value) => {
        const buffer = new SharedArrayBuffer(64);
        new Uint8Array(buffer).fill(0xa5);
        mixed.view(buffer).at(16)[field] = value;
        const changed = [...new Uint8Array(buffer)].flatMap((byte, i) => (byte === 0xa5 ? [] : [i]));
        const start = 16 + mixed.offsets[field];
        assert(changed.every((i) => i >= start && i < start + (field === "a" ? 1 : 2)));
      }),
    );
  });

  it("re-aims one view over slots and buffers without making another", () => {
    const pair = struct("pair", 8, () => ({ a: u32, b: u32 }));
    const [first, second] = [new SharedArrayBuffer(16), new SharedArrayBuffer(8)];
    const view = pair.view(first);
    view.at(8).b = 7;
    assert.equal(view.at(0).b, 0);
    assert.equal(view.at(8).b, 7);
    assert.equal(view.over(second).b, 0);
  });
});

describe("bytes()", () => {
  const holder = struct("holder", 8, () => ({ head: u32, data: bytes(4) }));

  it("reads as a view on the bytes themselves", () => {
    const buffer = new SharedArrayBuffer(16);
    const { data } = holder.view(buffer).at(8);
    data[1] = 9;
    assert.equal(new Uint8Array(buffer)[13], 9);
  });

  it("takes no more than its length when written", () => {
    const buffer = new SharedArrayBuffer(16);
    holder.view(buffer).data = Uint8Array.of(1, 2, 3, 4, 5, 6);
    assert.deepEqual([...new Uint8Array(buffer, 4, 6)], [1, 2, 3, 4, 0, 0]);
  });
});
