import assert from "node:assert/strict";
import { writeLowMemory } from "../../../devices/boot/low-memory.js";
import { SmallMachine } from "./fixtures.js";

describe("writeLowMemory()", () => {
  it("writes the BIOS data area: serial ports, extended area, base memory", () => {
    const machine = new SmallMachine();
    writeLowMemory(machine.memory, [3, 0], new Uint8Array(0));
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
    writeLowMemory(machine.memory, [], Uint8Array.from([1, 2]));
    assert.deepEqual(machine.bytes(0xe_0000, 4), [1, 2, 0, 0]);
    assert.deepEqual(machine.bytes(0xf_fffe, 3), [0, 0, 0xee]);
    assert.ok(machine.intact);
  });

  it("throws on tables that do not fit", () => {
    assert.throws(() => {
      writeLowMemory(new SmallMachine().memory, [], new Uint8Array(0x2_0001));
    }, RangeError);
  });
});
