import assert from "node:assert/strict";
import fc from "fast-check";
import type { AccessSize } from "../../shared/io.js";
import { RegisterFile, reserved } from "../../shared/register-file.js";

type Name = "status" | "enable" | "wide" | "fixed" | "byte";

const FILE = new RegisterFile<Name>(16, [
  ["status", 2, "w1c"],
  ["enable", 2],
  ["wide", 4],
  ["fixed", 4, "ro"],
  ["byte", 1],
  reserved(3),
]);
const STARTS = { status: 0, enable: 2, wide: 4, fixed: 8, byte: 12 } as const;

/** A device with plain registers, which also counts its calls. */
class Device {
  readonly values: Record<Name, number> = { status: 0, enable: 0, wide: 0, fixed: 0, byte: 0 };
  readonly calls: string[] = [];

  read(name: Name): number {
    this.calls.push(`read ${name}`);
    return this.values[name];
  }

  write(name: Name, value: number): void {
    this.calls.push(`write ${name} 0x${value.toString(16)}`);
    this.values[name] = name === "status" ? this.values.status & ~value : value;
  }
}

describe("RegisterFile", () => {
  it("refuses rows that do not add up", () => {
    assert.throws(() => new RegisterFile(4, [["a", 2]]), /rows take 2 bytes, the file has 4/);
  });

  it("refuses a name that comes twice", () => {
    assert.throws(
      () =>
        new RegisterFile(4, [
          ["a", 2],
          ["a", 2],
        ]),
      /a is there twice/,
    );
  });

  it("gives several registers to a wide read, each read once", () => {
    const device = new Device();
    Object.assign(device.values, { status: 0x1234, enable: 0xabcd });
    assert.equal(FILE.read(0, 4, device), 0xabcd_1234);
    assert.deepEqual(device.calls, ["read status", "read enable"]);
  });

  it("gives a part of a register to a narrow read", () => {
    const device = new Device();
    device.values.wide = 0x8765_4321;
    assert.equal(FILE.read(7, 1, device), 0x87);
    assert.equal(FILE.read(5, 2, device), 0x6543);
  });

  it("keeps the other bytes of a plain register on a byte write", () => {
    const device = new Device();
    device.values.enable = 0x1122;
    FILE.write(3, 1, 0xff, device);
    assert.equal(device.values.enable, 0xff22);
  });

  it("clears nothing beside the byte that is written to a write-one-to-clear register", () => {
    const device = new Device();
    device.values.status = 0xffff;
    FILE.write(1, 1, 0x01, device);
    assert.equal(device.values.status, 0xfeff);
    assert.deepEqual(device.calls, ["write status 0x100"]);
  });

  it("drops writes to read-only registers and holes", () => {
    const device = new Device();
    FILE.write(8, 4, 0xffff_ffff, device);
    FILE.write(13, 2, 0xffff, device);
    assert.deepEqual(device.calls, []);
  });

  it("reads as zero in holes and past the end", () => {
    const device = new Device();
    device.values.byte = 0x5a;
    assert.equal(FILE.read(12, 4, device), 0x5a);
    assert.equal(FILE.read(15, 4, device), 0);
  });

  it("agrees with a flat image of bytes, whatever the accesses", () => {
    const access = fc.record({
      offset: fc.nat(18),
      size: fc.constantFrom<AccessSize>(1, 2, 4),
      value: fc.integer({ min: 0, max: 0xffff_ffff }),
      write: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(access), fc.integer({ min: 0, max: 0xffff }), (sequence, status) => {
        const device = new Device();
        Object.assign(device.values, { status, fixed: 0x1357_9bdf });
        const image = new Uint8Array(16);
        const view = new DataView(image.buffer);
        view.setUint16(STARTS.status, status, true);
        view.setUint32(STARTS.fixed, 0x1357_9bdf, true);
        for (const { offset, size, value, write } of sequence) {
          let expected = 0;
          for (let byte = 0; byte < size; byte++) {
            const at = offset + byte;
            const part = (value >>> (byte * 8)) & 0xff;
            expected += (image[at] ?? 0) * 2 ** (byte * 8);
            if (!write || at > STARTS.byte || (at >= STARTS.fixed && at < STARTS.byte)) continue;
            image[at] = at < STARTS.enable ? (image[at] ?? 0) & ~part : part;
          }
          if (write) FILE.write(offset, size, value, device);
          else assert.equal(FILE.read(offset, size, device), expected);
        }
      }),
    );
  });
});
