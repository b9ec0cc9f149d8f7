/** [PCI30] PCI Local Bus Specification 3.0, 6.8.2 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AccessSize } from "../../../shared/io.js";
import { ConfigSpace } from "../../../devices/pci/config-space.js";
import { IntxPin } from "../../../devices/pci/intx-pin.js";
import { MsixTable } from "../../../devices/pci/msix.js";
import { RecordedLine, smallArena } from "../port-driver.js";
import { MessageRecorder } from "./message-recorder.js";

const CONTROL = 0x42;
const ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;
const PBA = 0x800;

class Fixture {
  readonly sink = new MessageRecorder();
  readonly line = new RecordedLine();
  readonly table: MsixTable;
  readonly pin: IntxPin;
  readonly config: ConfigSpace;

  constructor(vectors = 3) {
    const arena = smallArena();
    this.pin = new IntxPin(arena, this.line);
    this.table = new MsixTable(arena, { sink: this.sink, vectors, bar: 1, pbaOffset: PBA });
    this.config = new ConfigSpace(arena, {
      identity: { vendor: 1, device: 1, revision: 0, classCode: 0, subsystemVendor: 0, subsystem: 0, interruptPin: 1 },
      command: { initial: 0x0004, writable: 0x0507 },
      capabilities: [this.table],
      intx: this.pin,
    });
    this.table.reset();
    this.config.reset();
  }

  /** As drivers do: the message, then the mask off. */
  program(vector: number, data: number, low = 0xfee0_0000): void {
    this.table.write(vector * 16, 4, low);
    this.table.write(vector * 16 + 4, 4, 0);
    this.table.write(vector * 16 + 8, 4, data);
    this.table.write(vector * 16 + 12, 4, 0);
  }

  pending(): number {
    return this.table.read(PBA, 4);
  }
}

describe("MsixTable", () => {
  it("says how many vectors there are, and in which BAR (6.8.2.3 to 6.8.2.5)", () => {
    const { config, table } = new Fixture();
    assert.equal(config.read(CONTROL, 2), 0x0002);
    assert.equal(config.read(0x44, 4), 0x0000_0001);
    assert.equal(config.read(0x48, 4), 0x0000_0801);
    assert.equal(table.end, 0x808);
    const unplaced = new MsixTable(smallArena(), { sink: new MessageRecorder(), vectors: 65, bar: 4 });
    assert.equal(unplaced.end, 65 * 16 + 16, "two quadwords of pending bits follow the table");
  });

  it("starts with every vector masked (6.8.2.9)", () => {
    const { table } = new Fixture();
    assert.deepEqual(
      [0, 1, 2].map((vector) => table.read(vector * 16 + 12, 4)),
      [1, 1, 1],
    );
  });

  it("sends each vector's own message, and none while disabled", () => {
    const device = new Fixture();
    device.program(0, 0x31);
    device.program(2, 0x33, 0xfee0_1000);
    device.table.notify(0);
    assert.deepEqual(device.sink.take(), []);
    device.config.write(CONTROL, 2, ENABLE);
    device.table.notify(2);
    device.table.notify(0);
    assert.deepEqual(device.sink.take(), ["0:fee01000 33", "0:fee00000 31"]);
  });

  it("keeps what comes while masked as a pending bit, and sends it once when unmasked (6.8.2.10)", () => {
    const device = new Fixture();
    device.config.write(CONTROL, 2, ENABLE);
    device.table.write(16 + 8, 4, 0x41);
    device.table.notify(1);
    device.table.notify(1);
    assert.equal(device.pending(), 0b010);
    device.table.write(PBA, 4, 0);
    assert.equal(device.pending(), 0b010, "pending bits are the function's");
    device.table.write(16 + 12, 4, 0);
    assert.deepEqual(device.sink.take(), ["0:0 41"]);
    assert.equal(device.pending(), 0);
  });

  it("holds everything back under the function mask (6.8.2.3)", () => {
    const device = new Fixture();
    device.program(0, 0x31);
    device.program(1, 0x32);
    device.config.write(CONTROL, 2, ENABLE | FUNCTION_MASK);
    device.table.notify(0);
    device.table.notify(1);
    assert.equal(device.pending(), 0b011);
    device.config.write(CONTROL, 2, ENABLE);
    assert.deepEqual(device.sink.take(), ["0:fee00000 31", "0:fee00000 32"]);
  });

  it("has no vector beyond its table, such as virtio's 0xffff for none", () => {
    const device = new Fixture();
    device.config.write(CONTROL, 2, ENABLE);
    for (const vector of [3, 0xffff, -1]) device.table.notify(vector);
    assert.deepEqual([device.sink.take(), device.pending()], [[], 0]);
  });

  it("silences INTx while enabled", () => {
    const device = new Fixture();
    device.pin.set(1);
    device.config.write(CONTROL, 2, ENABLE | FUNCTION_MASK);
    assert.equal(device.line.level, 0);
    device.config.write(CONTROL, 2, 0);
    assert.equal(device.line.level, 1);
  });

  it("masks and unmasks vectors that stand for a PIRQ as that is bound", () => {
    const device = new Fixture();
    device.config.write(CONTROL, 2, ENABLE);
    device.table.write(0, 4, 0xfee3_7000);
    device.table.notify(0);
    assert.deepEqual(device.sink.take(), []);
    device.table.pirqChanged(55, true);
    assert.deepEqual(device.sink.take(), ["0:fee37000 0"]);
    assert.equal(device.table.read(12, 4), 0);
    assert.deepEqual([device.table.holdsPirq(55), device.table.holdsPirq(54)], [true, false]);
    device.table.pirqChanged(55, false);
    assert.equal(device.table.read(12, 4), 1);
    assert.equal(device.table.read(16 + 12, 4), 1, "another vector");
  });

  it("unmasks at once when the guest programs a PIRQ that is bound already", () => {
    const device = new Fixture();
    device.sink.bound.add(55);
    device.table.write(0, 4, 0xfee3_7000);
    assert.equal(device.table.read(12, 4), 0);
    device.table.write(12, 4, 1);
    assert.equal(device.table.read(12, 4), 1, "the guest may still mask it");
  });

  it("takes writes of bytes and words as parts of a dword", () => {
    const { table } = new Fixture();
    table.write(1, 1, 0xab);
    table.write(2, 2, 0xfee0);
    assert.equal(table.read(0, 4), 0xfee0_ab00);
    assert.equal(table.read(1, 1), 0xab);
    assert.equal(table.read(2, 2), 0xfee0);
  });

  it("goes on after save and restore", () => {
    const device = new Fixture();
    device.config.write(CONTROL, 2, ENABLE);
    device.table.notify(2);
    const states = structuredClone({ table: device.table.save(), config: device.config.save() });
    device.table.reset();
    device.config.reset();
    assert.equal(device.pending(), 0);
    device.table.restore(states.table);
    device.config.restore(states.config);
    assert.equal(device.pending(), 0b100);
    device.program(2, 0x55);
    assert.deepEqual(device.sink.take(), ["0:fee00000 55"]);
  });

  it("survives accesses of any width anywhere, and pending bits stay within its vectors (P2)", () => {
    const device = new Fixture();
    device.config.write(CONTROL, 2, ENABLE);
    const step = fc.tuple(fc.nat(0x820), fc.constantFrom<AccessSize>(1, 2, 4), fc.nat(0xffff_ffff), fc.nat(5));
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        for (const [offset, size, value, vector] of steps) {
          device.table.write(offset, size, value);
          device.table.notify(vector);
          const read = device.table.read(offset, size);
          assert.ok(read >= 0 && read < 2 ** (size * 8));
          assert.equal(device.pending() & ~0b111, 0);
        }
      }),
    );
  });

  it("keeps a message that both masks held back until the last is off", () => {
    const device = new Fixture();
    device.config.write(CONTROL, 2, ENABLE | FUNCTION_MASK);
    device.program(0, 0x31);
    device.table.notify(0);
    device.table.write(12, 4, 1);
    device.config.write(CONTROL, 2, ENABLE);
    assert.deepEqual([device.sink.take(), device.pending()], [[], 1]);
    device.table.write(12, 4, 0);
    assert.deepEqual([device.sink.take(), device.pending()], [["0:fee00000 31"], 0]);
  });
});
