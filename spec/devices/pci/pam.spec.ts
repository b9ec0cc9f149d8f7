/** [440FX] Intel 82441FX, 290549-001, 3.2.18 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Pam, PAM_SEGMENTS, pamSegmentAt, ShadowRam } from "../../../devices/pci/pam.js";
import type { AccessSize } from "../../../shared/io.js";

const START = 0xc_0000;
const LENGTH = 0x4_0000;
/** What a 128 KiB ROM shows from here to 1 MiB. */
const ROM_AT = 0x2_0000;

class Fixture {
  readonly ram = new Uint8Array(LENGTH).fill(0x11);
  readonly rom = new Uint8Array(LENGTH - ROM_AT).fill(0x22);
  attributes = 0;
  readonly shadow = new ShadowRam({ ram: this.ram, rom: this.rom, attributes: () => this.attributes });
}

describe("PAM_SEGMENTS", () => {
  it("are twelve of 16 KiB and one of 64, without gaps, from 0xc0000 to 1 MiB", () => {
    let next = START;
    for (const { base, length } of PAM_SEGMENTS) {
      assert.equal(base, next);
      next += length;
    }
    assert.deepEqual([PAM_SEGMENTS.length, next], [13, 0x10_0000]);
  });

  it("have their bits where the data sheet's table of attributes has them", () => {
    const places = PAM_SEGMENTS.map(({ base, register, shift }) => [base, register, shift]);
    assert.deepEqual(places.slice(0, 3), [
      [0xc_0000, 0x5a, 0],
      [0xc_4000, 0x5a, 4],
      [0xc_8000, 0x5b, 0],
    ]);
    assert.deepEqual(places.slice(-3), [
      [0xe_8000, 0x5f, 0],
      [0xe_c000, 0x5f, 4],
      [0xf_0000, 0x59, 4],
    ]);
  });

  it("are found by any address in them", () => {
    fc.assert(
      fc.property(fc.integer({ min: START, max: START + LENGTH - 1 }), (at) => {
        const segment = PAM_SEGMENTS[pamSegmentAt(at)];
        assert(segment !== undefined && at >= segment.base && at < segment.base + segment.length);
      }),
    );
  });
});

describe("ShadowRam", () => {
  /** [attributes, what a read of the ROM's part gives, where a write ends up] */
  const STATES: readonly (readonly [attributes: number, read: number, written: boolean])[] = [
    [0, 0x2222, false],
    [Pam.read, 0x1111, false],
    [Pam.write, 0x2222, true],
    [Pam.read | Pam.write, 0x1111, true],
  ];
  for (const [attributes, read, written] of STATES) {
    it(`carries out state ${attributes} of a segment (P6)`, () => {
      const fixture = new Fixture();
      fixture.attributes = attributes;
      assert.equal(fixture.shadow.read(ROM_AT, 2), read);
      fixture.shadow.write(ROM_AT + 8, 2, 0xabcd);
      assert.deepEqual([...fixture.ram.subarray(ROM_AT + 8, ROM_AT + 10)], written ? [0xcd, 0xab] : [0x11, 0x11]);
      assert(fixture.rom.every((byte) => byte === 0x22));
    });
  }

  it("has nothing where option ROMs would be: reads give all ones", () => {
    const fixture = new Fixture();
    assert.equal(fixture.shadow.read(0, 4), 0xffff_ffff);
    assert.equal(fixture.shadow.read(ROM_AT - 1, 1), 0xff);
  });

  it("takes any access, at the end too", () => {
    const sizes = fc.constantFrom<AccessSize>(1, 2, 4);
    fc.assert(
      fc.property(fc.nat(LENGTH - 1), sizes, fc.nat(3), (offset, size, attributes) => {
        const fixture = new Fixture();
        fixture.attributes = attributes;
        const value = fixture.shadow.read(offset, size);
        assert(value >= 0 && value <= 0xffff_ffff);
        fixture.shadow.write(offset, size, 0xffff_ffff);
      }),
      { numRuns: 50 },
    );
  });
});
