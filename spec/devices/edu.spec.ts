/** [EDU] qemu.git docs/specs/edu.rst */
import assert from "node:assert/strict";
import fc from "fast-check";
import { gpa } from "../../shared/brand.js";
import type { AccessSize } from "../../shared/io.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";
import { Edu } from "../../devices/edu.js";
import { MessageRecorder } from "./pci/message-recorder.js";
import { RecordedLine, smallArena } from "./port-driver.js";

const RAM = 0x1_0000;
const [FACTORIAL, STATUS, CAUSES, RAISE, ACKNOWLEDGE] = [0x08, 0x20, 0x24, 0x60, 0x64];
const [SOURCE, DESTINATION, COUNT, COMMAND] = [0x80, 0x88, 0x90, 0x98];
const BUFFER = 0x4_0000;
const [RUN, TO_RAM, INTERRUPT] = [1, 2, 4];

class Fixture {
  readonly ram = new MemoryRegion(gpa(0), RAM, new SharedArrayBuffer(RAM));
  readonly sink = new MessageRecorder();
  readonly line = new RecordedLine();
  readonly edu: Edu;

  constructor(dmaMask?: number) {
    const memory = new GuestMemory([this.ram]);
    const options = dmaMask === undefined ? { slot: 3 } : { slot: 3, dmaMask };
    this.edu = new Edu(smallArena(), options, { memory, messages: this.sink, inta: this.line });
    this.edu.reset();
    this.edu.writeConfig(0x04, 2, 0x0006);
  }

  /** As a driver on a 64-bit machine does: the bus makes two dwords of each. */
  transfer(source: number, destination: number, count: number, command: number): void {
    for (const [at, value] of [
      [SOURCE, source],
      [DESTINATION, destination],
      [COUNT, count],
    ] as const) {
      this.edu.write(at, 4, value % 2 ** 32);
      this.edu.write(at + 4, 4, Math.floor(value / 2 ** 32));
    }
    this.edu.write(COMMAND, 4, command);
    this.edu.write(COMMAND + 4, 4, 0);
  }

  enableMsi(): void {
    this.edu.writeConfig(0x44, 4, 0xfee0_0000);
    this.edu.writeConfig(0x4c, 2, 0x41);
    this.edu.writeConfig(0x42, 2, 0x0001);
  }
}

describe("Edu", () => {
  it("is 1234:11e8 with 1 MiB of memory space, INTA and MSI", () => {
    const { edu } = new Fixture();
    assert.equal(edu.readConfig(0x00, 4), 0x11e8_1234);
    edu.writeConfig(0x10, 4, 0xffff_ffff);
    assert.equal(edu.readConfig(0x10, 4), 0xfff0_0000);
    assert.equal(edu.readConfig(0x3d, 1), 1);
    assert.equal(edu.readConfig(edu.readConfig(0x34, 1), 1), 0x05);
  });

  it("identifies itself, and answers liveness with the inverse (0x00, 0x04)", () => {
    const { edu } = new Fixture();
    assert.equal(edu.read(0x00, 4), 0x0100_00ed);
    edu.write(0x04, 4, 0x1234_5678);
    assert.equal(edu.read(0x04, 4), 0xedcb_a987);
  });

  it("computes factorials modulo 2^32, and is not busy (0x08, 0x20)", () => {
    const { edu } = new Fixture();
    for (const [value, result] of [
      [0, 1],
      [1, 1],
      [5, 120],
      [12, 479_001_600],
      [13, 1_932_053_504],
      [33, 0x8000_0000],
      [34, 0],
      [0xffff_ffff, 0],
    ] as const) {
      edu.write(FACTORIAL, 4, value);
      assert.equal(edu.read(FACTORIAL, 4), result, `${value}!`);
      assert.equal(edu.read(STATUS, 4) & 0x01, 0);
    }
  });

  it("interrupts after a factorial when asked to, and says why (0x20, 0x24)", () => {
    const { edu, line } = new Fixture();
    edu.write(STATUS, 4, 0xff);
    assert.equal(edu.read(STATUS, 4), 0x80);
    edu.write(FACTORIAL, 4, 3);
    assert.deepEqual([line.level, edu.read(CAUSES, 4)], [1, 0x001]);
    edu.write(ACKNOWLEDGE, 4, 0x001);
    assert.deepEqual([line.level, edu.read(CAUSES, 4)], [0, 0]);
  });

  it("raises its line until every cause is acknowledged (0x60, 0x64)", () => {
    const { edu, line } = new Fixture();
    edu.write(RAISE, 4, 0);
    assert.equal(line.level, 0);
    edu.write(RAISE, 4, 0x6);
    edu.write(ACKNOWLEDGE, 4, 0x2);
    assert.deepEqual([line.level, edu.read(CAUSES, 4)], [1, 0x4]);
    edu.write(ACKNOWLEDGE, 4, 0xffff_ffff);
    assert.equal(line.level, 0);
  });

  it("sends a message for each raise under MSI, and leaves the line alone", () => {
    const device = new Fixture();
    device.enableMsi();
    device.edu.write(RAISE, 4, 1);
    device.edu.write(RAISE, 4, 1);
    assert.deepEqual(device.sink.take(), ["0:fee00000 41", "0:fee00000 41"]);
    assert.equal(device.line.level, 0);
  });

  it("copies RAM to its buffer and back (0x80 to 0x98)", () => {
    const device = new Fixture();
    device.ram.bytes.set([1, 2, 3, 4], 0x1000);
    device.transfer(0x1000, BUFFER + 0x10, 4, RUN);
    device.transfer(BUFFER + 0x10, 0x2000, 4, RUN | TO_RAM | INTERRUPT);
    assert.deepEqual([...device.ram.bytes.subarray(0x2000, 0x2005)], [1, 2, 3, 4, 0]);
    assert.deepEqual([device.line.level, device.edu.read(CAUSES, 4)], [1, 0x100]);
    assert.equal(device.edu.read(COMMAND, 4), TO_RAM | INTERRUPT, "the run bit is off: it is done");
  });

  it("moves nothing for what is outside its buffer or RAM, and says that it is done all the same", () => {
    const rows: readonly (readonly [string, number, number, number, number])[] = [
      ["before the buffer", BUFFER - 1, 0x2000, 16, TO_RAM],
      ["past the buffer", BUFFER + 4090, 0x2000, 16, TO_RAM],
      ["a length past the buffer", BUFFER, 0x2000, 4097, TO_RAM],
      ["all ones", 0xffff_ffff, 0x2000, 0xffff_ffff, TO_RAM],
      ["a length that wraps", BUFFER, 0x2000, 2 ** 53, TO_RAM],
      ["past RAM", BUFFER, RAM - 8, 16, TO_RAM],
      ["from past RAM", RAM - 8, BUFFER, 16, 0],
    ];
    for (const [what, source, destination, count, direction] of rows) {
      const device = new Fixture();
      device.transfer(0x1000, BUFFER, 16, RUN);
      device.ram.bytes.fill(0xaa);
      device.transfer(source, destination, count, RUN | INTERRUPT | direction);
      assert.ok(
        device.ram.bytes.every((byte) => byte === 0xaa),
        what,
      );
      assert.equal(device.edu.read(CAUSES, 4), 0x100, what);
    }
  });

  it("moves nothing without bus mastering", () => {
    const device = new Fixture();
    device.edu.writeConfig(0x04, 2, 0x0002);
    device.ram.bytes.fill(0xaa);
    device.transfer(BUFFER, 0x2000, 16, RUN | TO_RAM);
    assert.ok(device.ram.bytes.every((byte) => byte === 0xaa));
  });

  it("has 28 address bits, or those of its mask", () => {
    for (const [mask, address] of [
      [undefined, 0x9000_2000],
      [0xffff, 0x1_0001_2000],
      [0xff_0000_ffff, 0xff00_0001_2000],
    ] as const) {
      const device = new Fixture(mask);
      device.ram.bytes.set([7], 0x1000);
      device.transfer(0x1000, BUFFER, 1, RUN);
      device.transfer(BUFFER, address, 1, RUN | TO_RAM);
      assert.equal(device.ram.bytes[0x2000], 7, address.toString(16));
    }
    const wide = new Fixture(0xff_ffff_ffff);
    wide.ram.bytes.fill(0xaa);
    wide.transfer(BUFFER, 0x1_0000_2000, 16, RUN | TO_RAM);
    assert.ok(wide.ram.bytes.every((byte) => byte === 0xaa));
  });

  it("answers dwords only, with ones elsewhere", () => {
    const { edu } = new Fixture();
    assert.deepEqual([edu.read(0x00, 1), edu.read(0x04, 2), edu.read(0x0c, 4)], [0xff, 0xffff, 0xffff_ffff]);
    edu.write(0x04, 2, 0);
    assert.equal(edu.read(0x04, 4), 0);
    assert.equal(edu.read(BUFFER, 4), 0xffff_ffff, "the buffer is not in memory space");
  });

  it("goes on after save and restore, and is as new after reset", () => {
    const device = new Fixture();
    device.enableMsi();
    device.ram.bytes.set([9], 0x1000);
    device.transfer(0x1000, BUFFER, 1, RUN);
    device.edu.write(0x04, 4, 0);
    const state = structuredClone(device.edu.save());
    device.edu.reset();
    assert.deepEqual([device.edu.read(0x04, 4), device.edu.readConfig(0x04, 2)], [0, 0]);
    device.edu.restore(state);
    assert.equal(device.edu.read(0x04, 4), 0xffff_ffff);
    device.transfer(BUFFER, 0x2000, 1, RUN | TO_RAM | INTERRUPT);
    assert.equal(device.ram.bytes[0x2000], 9);
    assert.deepEqual(device.sink.take(), ["0:fee00000 41"]);
  });

  it("survives any accesses, and touches guest memory in no other way (P2)", () => {
    const device = new Fixture();
    const offset = fc.oneof(fc.nat(0x9f), fc.constantFrom(SOURCE, DESTINATION, COUNT, COMMAND), fc.nat(0xf_ffff));
    const value = fc.oneof(fc.nat(0xffff_ffff), fc.integer({ min: BUFFER - 16, max: BUFFER + 4112 }), fc.nat(4112));
    const step = fc.tuple(offset, fc.constantFrom<AccessSize>(1, 2, 4), value);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        for (const [at, size, written] of steps) {
          device.edu.write(at, size, written);
          const read = device.edu.read(at, size);
          assert.ok(read >= 0 && read < 2 ** (size * 8));
        }
      }),
    );
  });
});
