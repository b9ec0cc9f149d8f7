/** [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 2.7 "Split virtqueues" */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { MemorySegments } from "../../../shared/memory.js";
import type { QueueState } from "../../../devices/virtio/queue-state.js";
import { DescriptorChain, SplitQueue } from "../../../devices/virtio/split-queue.js";
import { HIGH_BYTES, HIGH_START, INDIRECT, LOW_BYTES, NEXT, NEXT_START, QueueDriver, WRITE } from "./queue-driver.js";
import type { TestDescriptor } from "./queue-driver.js";

interface Options {
  readonly size?: number;
  readonly maxSize?: number;
  readonly eventIndex?: boolean;
  readonly indirect?: boolean;
}

class Bench {
  readonly driver: QueueDriver;
  readonly state: QueueState;
  readonly queue: SplitQueue;
  readonly chain: DescriptorChain;
  readonly broken: string[] = [];
  epoch = 1;

  constructor({ size = 8, maxSize = size, eventIndex = false, indirect = true }: Options = {}) {
    this.driver = new QueueDriver(size);
    this.state = this.driver.state(maxSize);
    this.chain = new DescriptorChain(maxSize);
    this.queue = new SplitQueue(
      {
        memory: this.driver.memory,
        epoch: () => this.epoch,
        eventIndex: () => eventIndex,
        indirect: () => indirect,
        broken: (reason) => this.broken.push(reason),
      },
      this.state,
    );
    this.queue.open();
  }

  /** Makes the one chain available and takes it: why that does not work, if it does not. */
  takes(descriptors: readonly TestDescriptor[]): string | undefined {
    this.driver.chain(descriptors);
    const taken = this.queue.pop(this.chain);
    assert.equal(taken, this.broken.length === 0);
    return this.broken[0];
  }
}

/** Offsets into their regions, and lengths. */
function pieces(list: MemorySegments): readonly (readonly [gpa: number, length: number])[] {
  return Array.from({ length: list.segmentCount }, (_, i) => [
    (list.regions[i]?.gpa ?? NaN) + (list.offsets[i] ?? NaN),
    list.lengths[i] ?? NaN,
  ]);
}

describe("SplitQueue", () => {
  it("takes a chain's readable and writable buffers in order", () => {
    const { queue, chain, driver } = new Bench();
    driver.chain([
      { address: 0x8000, length: 16 },
      { address: 0x9000, length: 512, flags: WRITE },
      { address: 0xa000, length: 1, flags: WRITE },
    ]);
    assert(queue.pop(chain));
    assert.deepEqual(pieces(chain.readable), [[0x8000, 16]]);
    assert.deepEqual(pieces(chain.writable), [
      [0x9000, 512],
      [0xa000, 1],
    ]);
    assert.equal(chain.writable.totalBytes, 513);
    assert(!queue.pop(chain));
  });

  it("follows links in any order, and merges buffers that touch", () => {
    const { queue, chain, driver } = new Bench();
    driver.descriptor(5, { address: 0x8000, length: 0x100, flags: NEXT, next: 1 });
    driver.descriptor(1, { address: 0x8100, length: 0x100, flags: NEXT, next: 7 });
    driver.descriptor(7, { address: 0x8300, length: 4 });
    driver.offer(5);
    assert(queue.pop(chain));
    assert.equal(chain.head, 5);
    assert.deepEqual(pieces(chain.readable), [
      [0x8000, 0x200],
      [0x8300, 4],
    ]);
  });

  it("splits a buffer that lies in two adjacent regions", () => {
    const { queue, chain, driver } = new Bench();
    driver.chain([{ address: NEXT_START - 0x10, length: 0x30, flags: WRITE }]);
    assert(queue.pop(chain));
    assert.deepEqual(pieces(chain.writable), [
      [NEXT_START - 0x10, 0x10],
      [NEXT_START, 0x20],
    ]);
  });

  it("takes an indirect table alone or after plain buffers (2.7.5.3)", () => {
    const { queue, chain, driver } = new Bench();
    driver.descriptor(0, { address: 0x9000, length: 8, flags: NEXT, next: 2 }, 0x8000);
    driver.descriptor(2, { address: 0x9800, length: 1, flags: WRITE }, 0x8000);
    // The table's own write flag means nothing.
    driver.chain([{ address: 0x8000, length: 48, flags: INDIRECT | WRITE }]);
    assert(queue.pop(chain));
    assert.deepEqual(pieces(chain.readable), [[0x9000, 8]]);
    assert.deepEqual(pieces(chain.writable), [[0x9800, 1]]);
    driver.chain([
      { address: 0xa000, length: 4 },
      { address: 0x8000, length: 48, flags: INDIRECT },
    ]);
    assert(queue.pop(chain));
    assert.deepEqual(pieces(chain.readable), [
      [0xa000, 4],
      [0x9000, 8],
    ]);
  });

  it("gives chains back with their length once they are published (2.7.8)", () => {
    const { queue, driver } = new Bench();
    queue.push(3, 513);
    queue.push(1, 1);
    assert.equal(driver.usedIndex, 0);
    assert(queue.publish());
    assert.equal(driver.usedIndex, 2);
    assert.deepEqual([driver.used(0), driver.used(1)], [[3, 513], [1, 1]]); // prettier-ignore
    assert(!queue.publish());
  });

  it("puts chains back that it cannot use yet", () => {
    const { queue, chain, driver } = new Bench();
    driver.chain([{ address: 0x8000, length: 4 }]);
    driver.chain([{ address: 0x9000, length: 4 }], 4);
    assert(queue.pop(chain) && queue.pop(chain));
    queue.unpop(2);
    assert.equal(queue.waiting(), 2);
    assert(queue.pop(chain));
    assert.equal(chain.head, 0);
  });

  it("goes round 16-bit indices", () => {
    const { queue, chain, driver, state } = new Bench({ eventIndex: true });
    state.nextAvail = state.nextUsed = state.signalledUsed = driver.availIndex = 0xffff;
    driver.setAvailIndex(0xffff);
    driver.setUsedEvent(0);
    driver.chain([{ address: 0x8000, length: 4 }]);
    driver.chain([{ address: 0x9000, length: 4 }], 4);
    assert(queue.pop(chain) && queue.pop(chain));
    queue.push(0, 0);
    assert(!queue.publish());
    queue.push(4, 0);
    assert(queue.publish());
    assert.equal(driver.usedIndex, 1);
  });

  describe("interrupts and notifications", () => {
    it("asks for notifications by flag (2.7.10)", () => {
      const { queue, driver } = new Bench();
      queue.disableNotifications();
      assert.equal(driver.usedFlags, 1);
      assert(!queue.enableNotifications());
      assert.equal(driver.usedFlags, 0);
      driver.chain([{ address: 0x8000, length: 4 }]);
      assert(queue.enableNotifications());
    });

    it("asks for notifications by event index (2.7.10)", () => {
      const { queue, chain, driver } = new Bench({ eventIndex: true });
      driver.chain([{ address: 0x8000, length: 4 }]);
      queue.disableNotifications();
      assert(queue.pop(chain));
      assert.equal(driver.availEvent, 0);
      assert(!queue.enableNotifications());
      assert.deepEqual([driver.availEvent, driver.usedFlags], [1, 0]);
    });

    it("interrupts unless the driver's flag says no (2.7.7)", () => {
      const { queue, driver } = new Bench();
      queue.push(0, 0);
      assert(queue.publish());
      driver.setAvailFlags(1);
      queue.push(0, 0);
      assert(!queue.publish());
    });

    it("interrupts when the used index passes the driver's event index (2.7.7)", () => {
      const { queue, driver } = new Bench({ eventIndex: true });
      // With event indices the flag means nothing.
      driver.setAvailFlags(1);
      driver.setUsedEvent(2);
      const wanted = Array.from({ length: 5 }, () => {
        queue.push(0, 0);
        return queue.publish();
      });
      assert.deepEqual(wanted, [false, false, true, false, false]);
      driver.setUsedEvent(6);
      queue.push(0, 0);
      queue.push(0, 0);
      queue.push(0, 0);
      assert(queue.publish());
    });
  });

  describe("with a hostile driver", () => {
    const AT = 0x8000;

    it("ends loops (Q1)", () => {
      const { queue, chain, driver, broken } = new Bench();
      driver.descriptor(0, { address: 0x8000, length: 4, flags: NEXT, next: 1 });
      driver.descriptor(1, { address: 0x9000, length: 4, flags: NEXT, next: 0 });
      driver.offer(0);
      assert(!queue.pop(chain));
      assert.deepEqual(broken, ["a chain is too long"]);
    });

    it("ends loops of empty buffers in an indirect table (Q1)", () => {
      const { queue, chain, driver, broken } = new Bench();
      driver.descriptor(0, { address: 0, length: 0, flags: NEXT, next: 0 }, AT);
      driver.chain([{ address: AT, length: 16, flags: INDIRECT }]);
      assert(!queue.pop(chain));
      assert.deepEqual(broken, ["a chain is too long"]);
    });

    const refusals: readonly (readonly [what: string, chain: readonly TestDescriptor[], reason: string])[] = [
      ["a buffer behind the end of memory", [{ address: 0x4000_0000, length: 4 }], "a buffer is not in memory"],
      ["a buffer that ends in a hole", [{ address: LOW_BYTES - 8, length: 9 }], "a buffer is not in memory"],
      [
        "an address whose end wraps",
        [{ address: 0xffff_ffff_ffff_fff8n, length: 16, flags: WRITE }],
        "a buffer is not in memory",
      ],
      ["a length of 4 GiB less one", [{ address: 0, length: 0xffff_ffff }], "a buffer is not in memory"],
      [
        "a readable buffer after a writable one",
        [
          { address: AT, length: 4, flags: WRITE },
          { address: AT, length: 4 },
        ],
        "a readable buffer follows a writable one",
      ],
      [
        "an empty indirect table",
        [{ address: AT, length: 0, flags: INDIRECT }],
        "an indirect table has a wrong length",
      ],
      ["a part of an entry", [{ address: AT, length: 24, flags: INDIRECT }], "an indirect table has a wrong length"],
      [
        "an indirect table in a hole",
        [{ address: LOW_BYTES - 16, length: 32, flags: INDIRECT }],
        "an indirect table is not in memory",
      ],
      [
        "a huge indirect table",
        [{ address: 0, length: 0xffff_fff0, flags: INDIRECT }],
        "an indirect table is not in memory",
      ],
      [
        "an indirect table that has a successor",
        [
          { address: AT, length: 16, flags: INDIRECT },
          { address: AT, length: 4 },
        ],
        "an indirect descriptor is where none may be",
      ],
    ];
    for (const [what, descriptors, reason] of refusals) {
      it(`refuses ${what} (Q2, Q3, Q5)`, () => {
        assert.equal(new Bench().takes(descriptors), reason);
      });
    }

    it("refuses an indirect table in an indirect table (Q2)", () => {
      const bench = new Bench();
      bench.driver.descriptor(0, { address: AT, length: 16, flags: INDIRECT }, AT);
      const chain = [{ address: AT, length: 16, flags: INDIRECT }];
      assert.equal(bench.takes(chain), "an indirect descriptor is where none may be");
    });

    it("refuses an indirect table that was not negotiated (Q2)", () => {
      const chain = [{ address: AT, length: 16, flags: INDIRECT }];
      assert.equal(new Bench({ indirect: false }).takes(chain), "an indirect descriptor is where none may be");
    });

    it("refuses a link out of an indirect table", () => {
      const bench = new Bench();
      bench.driver.descriptor(0, { address: AT, length: 4, flags: NEXT, next: 1 }, AT);
      const chain = [{ address: AT, length: 16, flags: INDIRECT }];
      assert.equal(bench.takes(chain), "a descriptor index is out of range");
    });

    it("refuses heads and links outside of the table (Q1)", () => {
      const head = new Bench();
      head.driver.offer(8);
      assert(!head.queue.pop(head.chain));
      assert.deepEqual(head.broken, ["a descriptor index is out of range"]);
      const link = new Bench();
      link.driver.descriptor(0, { address: AT, length: 4, flags: NEXT, next: 0xffff });
      link.driver.offer(0);
      assert(!link.queue.pop(link.chain));
      assert.deepEqual(link.broken, ["a descriptor index is out of range"]);
    });

    it("refuses an indirect chain longer than the largest queue, and takes one as long", () => {
      const bench = new Bench({ size: 4, maxSize: 8 });
      for (let i = 0; i < 9; i++) {
        bench.driver.descriptor(i, { address: 0x9000, length: 1, flags: i < 7 ? NEXT : 0, next: i + 1 }, AT);
      }
      const chain = [{ address: AT, length: 9 * 16, flags: INDIRECT }];
      assert.equal(bench.takes(chain), undefined);
      bench.driver.descriptor(7, { address: 0x9000, length: 1, flags: NEXT, next: 8 }, AT);
      assert.equal(bench.takes(chain), "a chain is too long");
    });

    it("refuses an available index that jumps ahead by more than the queue's size, and gives nothing from then on", () => {
      const { queue, chain, driver, broken } = new Bench();
      driver.setAvailIndex(8);
      assert.equal(queue.waiting(), 8);
      driver.setAvailIndex(9);
      assert.equal(queue.waiting(), 0);
      assert.deepEqual(broken, ["the available index is out of range"]);
      driver.setAvailIndex(1);
      assert(!queue.pop(chain) && !queue.open() && !queue.publish());
      assert.equal(broken.length, 1);
    });

    it("refuses an available index that goes back (Q4)", () => {
      const { queue, broken, driver } = new Bench();
      driver.setAvailIndex(0xffff);
      assert.equal(queue.waiting(), 0);
      assert.equal(broken.length, 1);
    });

    const places: readonly (readonly [what: string, half: "descLow" | "driverLow" | "deviceLow", at: number])[] = [
      ["a descriptor table that is not aligned to 16", "descLow", 0x1008],
      ["an available ring at an odd address", "driverLow", 0x3001],
      ["a used ring that is not aligned to 4", "deviceLow", 0x4002],
      ["a descriptor table that ends in a hole", "descLow", LOW_BYTES - 0x70],
      ["an available ring that ends in a hole", "driverLow", LOW_BYTES - 20],
      ["a used ring that lies in two regions", "deviceLow", HIGH_START + HIGH_BYTES - 8],
    ];
    for (const [what, half, at] of places) {
      it(`refuses ${what} (Q3)`, () => {
        const bench = new Bench();
        const { queue, state, broken } = bench;
        state.setAddress(half, at);
        // Until the driver starts the device anew, the rings stay where they were found.
        assert(queue.open());
        bench.epoch++;
        assert(!queue.open());
        assert.deepEqual(broken, ["its rings are not in memory, or misaligned"]);
      });
    }

    it("survives any rings and descriptors, and gives pieces of memory only (Q1, Q2, Q3)", () => {
      const descriptor = fc.record({
        address: fc.oneof(fc.nat(0x2_0000), fc.nat(0x12_0000), fc.bigInt(0n, 2n ** 64n - 1n)),
        length: fc.oneof(fc.nat(0x200), fc.nat(0xffff_ffff)),
        flags: fc.oneof(fc.nat(7), fc.nat(0xffff)),
        next: fc.oneof(fc.nat(9), fc.nat(0xffff)),
      });
      fc.assert(
        fc.property(
          fc.array(descriptor, { minLength: 8, maxLength: 8 }),
          fc.array(descriptor, { maxLength: 8 }),
          fc.array(fc.nat(9), { minLength: 1, maxLength: 9 }),
          fc.boolean(),
          (direct, table, heads, eventIndex) => {
            const { queue, chain, driver } = new Bench({ eventIndex });
            direct.forEach((entry, i) => {
              driver.descriptor(i, entry);
            });
            table.forEach((entry, i) => {
              driver.descriptor(i, entry, AT);
            });
            for (const head of heads) driver.offer(head);
            while (queue.pop(chain)) {
              for (const list of [chain.readable, chain.writable]) {
                let total = 0;
                for (let i = 0; i < list.segmentCount; i++) {
                  const region = list.regions[i];
                  const offset = list.offsets[i] ?? -1;
                  const length = list.lengths[i] ?? 0;
                  assert(region !== undefined && offset >= 0 && offset + length <= region.size);
                  total += length;
                }
                assert.equal(total, list.totalBytes);
              }
              queue.push(chain.head, 0);
              queue.publish();
            }
          },
        ),
        { numRuns: 300 },
      );
    });
  });
});
