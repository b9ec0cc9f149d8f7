import assert from "node:assert/strict";
import { writeLowMemory } from "../../../devices/boot/low-memory.js";
import { gpa } from "../../../shared/brand.js";
import { SmallMachine } from "./fixtures.js";

describe("writeLowMemory()", () => {
  it("writes the BIOS data area: serial ports, extended area, base memory", () => {
    const machine = new SmallMachine();
    writeLowMemory(machine.memory, [3, 0], []);
    assert.deepEqual(
      [0, 2, 4].map((at) => machine.u16(0x400 + at)),
      [0x3f8, 0x2e8, 0],
    );
    assert.equal(machine.u16(0x40e), 0x9fc0);
    assert.equal(machine.u16(0x413), 639);
    assert.equal(machine.u8(0x9_fc00), 1);
  });

  it("replaces what the guest left in the BIOS area", () => {
    const machine = new SmallMachine();
    writeLowMemory(machine.memory, [], [{ at: gpa(0xe_0000), bytes: Uint8Array.of(1, 2) }]);
    assert.deepEqual(machine.bytes(0xe_0000, 4), [1, 2, 0, 0]);
    assert.deepEqual(machine.bytes(0xf_fffe, 3), [0, 0, 0xee]);
    assert.ok(machine.intact);
  });

  it("throws on data that does not fit", () => {
    const { memory } = new SmallMachine();
    const place = (...data: readonly (readonly [number, number])[]) => {
      writeLowMemory(
        memory,
        [],
        data.map(([at, length]) => ({ at: gpa(at), bytes: new Uint8Array(length) })),
      );
    };
    assert.throws(() => {
      place([0xe_0000, 0x2_0001]);
    }, RangeError);
    assert.throws(() => {
      place([0xe_0000, 0x101], [0xe_0100, 1]);
    }, RangeError);
    place([0xe_0000, 0x100], [0xe_0100, 1]);
  });
});
