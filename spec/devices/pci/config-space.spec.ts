/** [PCI] PCI Local Bus Specification 2.1, chapter 6 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AccessSize, IoHandler } from "../../../shared/io.js";
import { ConfigSpace } from "../../../devices/pci/config-space.js";
import { smallArena } from "../port-driver.js";

const HANDLER: IoHandler = { read: () => 0, write: () => undefined };

function space(): ConfigSpace {
  const config = new ConfigSpace(smallArena(), {
    identity: {
      vendor: 0x5853,
      device: 0x0001,
      revision: 1,
      classCode: 0xff_8000,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
      interruptPin: 1,
    },
    command: { initial: 0, writable: 0x0507 },
    bars: [
      { index: 0, kind: "io", length: 0x100, handler: HANDLER },
      { index: 1, kind: "mmio", length: 0x100_0000, prefetchable: true, handler: HANDLER },
    ],
    registers: [{ offset: 0x40, size: 4, initial: 0x0001, writable: 0xffc0 }],
  });
  config.reset();
  return config;
}

describe("ConfigSpace", () => {
  it("shows the identity and keeps it against writes (P4)", () => {
    const config = space();
    config.write(0x00, 4, 0xffff_ffff);
    config.write(0x08, 4, 0);
    config.write(0x2c, 4, 0);
    assert.equal(config.read(0x00, 4), 0x0001_5853);
    assert.equal(config.read(0x08, 4), 0xff80_0001);
    assert.equal(config.read(0x2c, 4), 0x1100_1af4);
  });

  it("takes the writable bits of the command register", () => {
    const config = space();
    assert.equal(config.write(0x04, 2, 0xffff), true);
    assert.equal(config.read(0x04, 2), 0x0507);
  });

  it("answers sizing of an I/O and of a prefetchable memory BAR (P3)", () => {
    const config = space();
    config.write(0x10, 4, 0xffff_ffff);
    config.write(0x14, 4, 0xffff_ffff);
    assert.equal(config.read(0x10, 4), 0xffff_ff01);
    assert.equal(config.read(0x14, 4), 0xff00_0008);
    config.write(0x18, 4, 0xffff_ffff);
    assert.equal(config.read(0x18, 4), 0, "there is no third BAR");
  });

  it("decodes nothing while a BAR is sized, at 0 or past the end of its space (P3)", () => {
    const config = space();
    config.write(0x04, 2, 0x0003);
    const enabled = (): readonly boolean[] => config.decodes().map((bar) => bar.enabled);
    assert.deepEqual(enabled(), [false, false]);
    config.write(0x10, 4, 0xffff_ffff);
    config.write(0x14, 4, 0xffff_ffff);
    assert.deepEqual(enabled(), [false, false]);
    config.write(0x10, 4, 0x1_0000);
    config.write(0x14, 4, 0xe000_0000);
    assert.deepEqual(enabled(), [false, true]);
  });

  it("decodes a BAR where it was placed, while the command register lets it", () => {
    const config = space();
    config.write(0x10, 4, 0xc100);
    config.write(0x04, 2, 0x0001);
    assert.deepEqual(
      config.decodes().map(({ kind, base, length, enabled }) => ({ kind, base, length, enabled })),
      [
        { kind: "io", base: 0xc100, length: 0x100, enabled: true },
        { kind: "mmio", base: 0, length: 0x100_0000, enabled: false },
      ],
    );
    config.write(0x04, 2, 0x0000);
    assert.equal(config.decodes()[0]?.enabled, false);
  });

  it("says when decoding may have changed", () => {
    const config = space();
    assert.equal(config.write(0x13, 1, 0), true);
    assert.equal(config.write(0x02, 4, 0), true);
    assert.equal(config.write(0x3c, 1, 10), false);
    assert.equal(config.write(0x28, 4, 0), false);
  });

  it("is as new after reset, and goes on after save and restore", () => {
    const config = space();
    config.write(0x40, 4, 0xffff_ffff);
    const state = structuredClone(config.save());
    config.reset();
    assert.equal(config.read(0x40, 4), 0x0000_0001);
    config.restore(state);
    assert.equal(config.read(0x40, 4), 0x0000_ffc1);
  });

  it("takes accesses of any width at any offset, also past the end (P2)", () => {
    const config = space();
    const any = fc.tuple(fc.nat(300), fc.constantFrom<AccessSize>(1, 2, 4), fc.integer({ min: 0, max: 0xffff_ffff }));
    fc.assert(
      fc.property(any, ([offset, size, value]) => {
        config.write(offset, size, value);
        const read = config.read(offset, size);
        assert.ok(read >= 0 && read < 2 ** (size * 8));
        assert.equal(config.read(0x00, 4), 0x0001_5853);
      }),
    );
    assert.equal(config.read(0xfe, 4), 0xffff_0000);
  });
});
