/** [PCI30] PCI Local Bus Specification 3.0, 6.8.1 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AccessSize } from "../../../shared/io.js";
import { ConfigSpace } from "../../../devices/pci/config-space.js";
import { IntxPin } from "../../../devices/pci/intx-pin.js";
import { MsiCapability } from "../../../devices/pci/msi.js";
import { RecordedLine, smallArena } from "../port-driver.js";
import { MessageRecorder } from "./message-recorder.js";

const CONTROL = 0x42;
const LOW = 0x44;
const HIGH = 0x48;
const DATA = 0x4c;
const MASK = 0x50;
const PENDING = 0x54;

class Fixture {
  readonly sink = new MessageRecorder();
  readonly line = new RecordedLine();
  readonly msi: MsiCapability;
  readonly pin: IntxPin;
  readonly config: ConfigSpace;

  constructor(vectors: 1 | 4 = 1) {
    const arena = smallArena();
    this.pin = new IntxPin(arena, this.line);
    this.msi = new MsiCapability(arena, { sink: this.sink, vectors });
    this.config = new ConfigSpace(arena, {
      identity: { vendor: 1, device: 1, revision: 0, classCode: 0, subsystemVendor: 0, subsystem: 0, interruptPin: 1 },
      command: { initial: 0x0004, writable: 0x0507 },
      capabilities: [this.msi],
      intx: this.pin,
    });
    this.config.reset();
  }

  program(control = 0x01, data = 0x4050, low = 0xfee0_1000): void {
    this.config.write(LOW, 4, low);
    this.config.write(HIGH, 4, 0);
    this.config.write(DATA, 2, data);
    this.config.write(CONTROL, 2, control);
  }
}

describe("MsiCapability", () => {
  it("announces 64-bit addresses, masks, and how many vectors there are (6.8.1.3)", () => {
    assert.equal(new Fixture(1).config.read(CONTROL, 2), 0x0180);
    assert.equal(new Fixture(4).config.read(CONTROL, 2), 0x0184);
  });

  it("sends the message that was programmed, once for each notification", () => {
    const device = new Fixture();
    device.program();
    device.msi.notify(0);
    device.msi.notify(0);
    assert.deepEqual(device.sink.take(), ["0:fee01000 4050", "0:fee01000 4050"]);
  });

  it("sends nothing while disabled, or while the function may not master the bus", () => {
    const device = new Fixture();
    device.msi.notify(0);
    device.program();
    device.config.write(0x04, 2, 0);
    assert.equal(device.msi.enabled, false);
    device.msi.notify(0);
    assert.deepEqual(device.sink.take(), []);
  });

  it("puts the vector in the low bits of the data, as many as are enabled (6.8.1.6)", () => {
    const device = new Fixture(4);
    device.program(0x01 | (2 << 4), 0x4057);
    for (let vector = 0; vector < 4; vector++) device.msi.notify(vector);
    assert.deepEqual(device.sink.take(), ["0:fee01000 4054", "0:fee01000 4055", "0:fee01000 4056", "0:fee01000 4057"]);
    device.program(0x01 | (1 << 4), 0x4056);
    device.msi.notify(3);
    assert.deepEqual(device.sink.take(), ["0:fee01000 4057"], "vectors beyond the count share the last");
  });

  it("takes a count beyond its own as its own, and no vector that it does not have", () => {
    const device = new Fixture(4);
    device.program(0x01 | (7 << 4), 0x4050);
    device.msi.notify(3);
    device.msi.notify(4);
    device.msi.notify(-1);
    assert.deepEqual(device.sink.take(), ["0:fee01000 4053"]);
  });

  it("keeps a masked vector's message until it is unmasked, and then sends it once (6.8.1.8)", () => {
    const device = new Fixture(4);
    device.program(0x01 | (2 << 4));
    device.config.write(MASK, 4, 0x0a);
    device.msi.notify(1);
    device.msi.notify(1);
    device.msi.notify(3);
    assert.equal(device.config.read(PENDING, 4), 0x0a);
    assert.deepEqual(device.sink.take(), []);
    device.config.write(MASK, 4, 0x08);
    assert.deepEqual(device.sink.take(), ["0:fee01000 4051"]);
    assert.equal(device.config.read(PENDING, 4), 0x08);
    device.config.write(PENDING, 4, 0);
    assert.equal(device.config.read(PENDING, 4), 0x08, "pending bits are the function's");
  });

  it("silences INTx while enabled", () => {
    const device = new Fixture();
    device.pin.set(1);
    device.program();
    assert.equal(device.line.level, 0);
    device.config.write(CONTROL, 2, 0);
    assert.equal(device.line.level, 1);
  });

  it("masks and unmasks a vector that stands for a PIRQ as that is bound", () => {
    const device = new Fixture();
    device.program(0x01, 0x0000, 0xfee3_7000);
    device.config.write(MASK, 4, 1);
    device.msi.notify(0);
    device.msi.pirqChanged(54, true);
    assert.deepEqual(device.sink.take(), [], "another PIRQ");
    device.msi.pirqChanged(55, true);
    assert.deepEqual(device.sink.take(), ["0:fee37000 0"]);
    assert.deepEqual([device.msi.holdsPirq(55), device.msi.holdsPirq(54)], [true, false]);
    device.msi.pirqChanged(55, false);
    assert.equal(device.config.read(MASK, 4), 1);
    device.msi.notify(0);
    assert.deepEqual(device.sink.take(), []);
  });

  it("unmasks at once when the guest programs a PIRQ that is bound already", () => {
    const device = new Fixture();
    device.sink.bound.add(55);
    device.config.write(MASK, 4, 1);
    device.program(0x01, 0x0000, 0xfee3_7000);
    assert.equal(device.config.read(MASK, 4), 0);
    device.config.write(MASK, 4, 1);
    assert.equal(device.config.read(MASK, 4), 1, "the guest may still mask it");
  });

  it("goes on after save and restore", () => {
    const device = new Fixture();
    device.program();
    device.config.write(MASK, 4, 1);
    device.msi.notify(0);
    const state = structuredClone(device.config.save());
    device.config.reset();
    assert.equal(device.msi.enabled, false);
    device.config.restore(state);
    device.config.write(MASK, 4, 0);
    assert.deepEqual(device.sink.take(), ["0:fee01000 4050"]);
  });

  it("survives any writes, and pending bits stay within its vectors (P2)", () => {
    const device = new Fixture(4);
    const step = fc.tuple(fc.nat(0x20), fc.constantFrom<AccessSize>(1, 2, 4), fc.nat(0xffff_ffff), fc.nat(5));
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        for (const [offset, size, value, vector] of steps) {
          device.config.write(0x40 + offset, size, value);
          device.msi.notify(vector);
          assert.equal(device.config.read(PENDING, 4) & ~0xf, 0);
        }
      }),
    );
  });
});
