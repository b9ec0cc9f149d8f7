import assert from "node:assert/strict";
import fc from "fast-check";
import type { AccessSize } from "../../../shared/io.js";
import { IdeRig, sectors } from "./ide-rig.js";

/** `rep insw` and the like at the data port, by one call. */
function readAll(rig: IdeRig, bytes: number, size: AccessSize): Uint8Array {
  const data = new Uint8Array(bytes);
  rig.ide.channels[0].commandBlock.readRepeated({ offset: 0, size, data });
  rig.work();
  return data;
}

function writeAll(rig: IdeRig, data: Uint8Array, size: AccessSize): void {
  rig.ide.channels[0].commandBlock.writeRepeated({ offset: 0, size, data });
  rig.work();
}

describe("Transfer", () => {
  it("gives many sectors to one `rep insw`", () => {
    const rig = new IdeRig();
    rig.lba28(0x20, 100, 20);
    assert.deepEqual(readAll(rig, 20 * 512, 2), sectors(100, 20));
    assert.equal(rig.in(0x1f7), 0x50);
  });

  it("gives ones past the last block", () => {
    const rig = new IdeRig();
    rig.lba28(0x20, 100, 1);
    assert.deepEqual(readAll(rig, 1024, 4), new Uint8Array([...sectors(100, 1), ...new Uint8Array(512).fill(0xff)]));
  });

  it("takes many sectors of one `rep outsw`, and ignores what is too much", () => {
    const rig = new IdeRig();
    rig.lba28(0x30, 100, 3);
    writeAll(rig, new Uint8Array([...sectors(7, 3), ...sectors(10, 4)]), 2);
    assert.deepEqual(rig.storage.calls, [["write", 100, 3]]);
    assert.deepEqual(rig.storage.sector(102), sectors(9, 1));
  });

  const repeated = fc.record({
    write: fc.boolean(),
    size: fc.constantFrom<AccessSize>(1, 2, 4),
    count: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(127, 128, 255, 256, 257, 512, 1024)),
  });

  it("moves the same, and shows the same, as accesses one by one", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0x20, 0x30, 0xc4, 0xc5, 0xec, 0xa0),
        fc.integer({ min: 1, max: 6 }),
        fc.array(repeated, { maxLength: 20 }),
        (command, count, accesses) => {
          const [whole, single] = [new IdeRig(), new IdeRig()];
          for (const rig of [whole, single]) {
            rig.out(0x1f2, 4);
            rig.out(0x1f7, 0xc6);
            rig.lba28(command, 50, count);
          }
          for (const { write, size, count: times } of accesses) {
            const bytes = Uint8Array.from({ length: times * size }, (_, i) => i * 7 + times);
            if (write) {
              writeAll(whole, bytes, size);
              const view = new DataView(bytes.buffer);
              for (let at = 0; at < bytes.length; at += size) {
                const value =
                  size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
                single.out(0x1f0, value, size);
              }
            } else {
              const seen = readAll(whole, times * size, size);
              for (let at = 0; at < bytes.length; at += size) {
                const value = single.in(0x1f0, size);
                for (let byte = 0; byte < size; byte++) bytes[at + byte] = value >>> (byte * 8);
              }
              assert.deepEqual(seen, bytes);
            }
            assert.equal(whole.status, single.status);
          }
          assert.deepEqual(whole.storage.calls, single.storage.calls);
          assert.deepEqual(whole.storage.sector(50), single.storage.sector(50));
        },
      ),
      { numRuns: 150 },
    );
  });
});
