import assert from "node:assert/strict";
import { Lock } from "../../shared/lock.js";
import { BytePorts } from "../../devices/byte-ports.js";
import { smallArena } from "./port-driver.js";

function board(): { ports: BytePorts; calls: string[]; word: Int32Array } {
  const calls: string[] = [];
  const word = smallArena().int32(1);
  const ports = new BytePorts(new Lock(word), 2, {
    read: (offset) => {
      calls.push(`read ${offset}, lock ${word[0] ?? 0}`);
      return 0x10 + offset;
    },
    write: (offset, value) => {
      calls.push(`write ${offset} 0x${value.toString(16)}`);
    },
  });
  return { ports, calls, word };
}

describe("BytePorts", () => {
  it("makes a wide access byte accesses, lowest first, under one lock", () => {
    const { ports, calls, word } = board();
    assert.equal(ports.read(0, 2), 0x1110);
    ports.write(0, 2, 0xabcd);
    assert.deepEqual(calls, ["read 0, lock 1", "read 1, lock 1", "write 0 0xcd", "write 1 0xab"]);
    assert.equal(word[0], 0);
  });

  it("floats high past the end and writes nothing there", () => {
    const { ports, calls } = board();
    assert.equal(ports.read(1, 4), 0xffff_ff11);
    ports.write(1, 4, 0x0403_0201);
    assert.deepEqual(calls, ["read 1, lock 1", "write 1 0x1"]);
  });

  it("lets the lock go when the device fails", () => {
    const word = smallArena().int32(1);
    const ports = new BytePorts(new Lock(word), 1, {
      read: () => {
        throw new Error("host failed");
      },
      write: () => undefined,
    });
    assert.throws(() => ports.read(0, 1), /host failed/);
    assert.equal(word[0], 0);
  });
});
