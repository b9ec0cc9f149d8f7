/** [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 2.1, 2.2, 4.1.4.3 */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { COMMON, VirtioState } from "../../../devices/virtio/virtio-state.js";
import type { AccessSize, IoHandler } from "../../../shared/io.js";
import { assertTakesAnything, smallArena } from "../port-driver.js";
import { TestDevice } from "./test-device.js";

/** Offsets of struct virtio_pci_common_cfg, 4.1.4.3. */
const DEVICE_FEATURE_SELECT = 0;
const DEVICE_FEATURE = 4;
const DRIVER_FEATURE_SELECT = 8;
const DRIVER_FEATURE = 12;
const CONFIG_VECTOR = 16;
const NUM_QUEUES = 18;
const STATUS = 20;
const GENERATION = 21;
const QUEUE_SELECT = 22;
const QUEUE_SIZE = 24;
const QUEUE_VECTOR = 26;
const QUEUE_ENABLE = 28;
const QUEUE_NOTIFY_OFF = 30;
const QUEUE_DESC = 32;
const QUEUE_DRIVER = 40;
const QUEUE_DEVICE = 48;

class Bench {
  readonly device = new TestDevice();
  readonly interrupts: string[] = [];
  readonly state = new VirtioState(smallArena(), this.device, {
    vectors: 3,
    interruptQueue: (vector) => this.interrupts.push(`queue ${vector}`),
    interruptConfig: (vector) => this.interrupts.push(`config ${vector}`),
    clearInterrupts: () => this.interrupts.push("clear"),
  });
  readonly registers: IoHandler = {
    read: (offset, size) => this.state.locked(() => COMMON.read(offset, size, this.state)),
    write: (offset, size, value) => {
      this.state.locked(() => {
        COMMON.write(offset, size, value, this.state);
      });
    },
  };

  constructor() {
    this.state.reset();
    this.state.setStopped(false);
    this.interrupts.length = 0;
  }

  in(offset: number, size: AccessSize): number {
    return this.registers.read(offset, size);
  }

  out(offset: number, size: AccessSize, value: number): void {
    this.registers.write(offset, size, value);
  }

  accept(low: number, high: number): void {
    this.out(DRIVER_FEATURE_SELECT, 4, 0);
    this.out(DRIVER_FEATURE, 4, low);
    this.out(DRIVER_FEATURE_SELECT, 4, 1);
    this.out(DRIVER_FEATURE, 4, high);
  }

  /** As a driver does it, up to DRIVER_OK. */
  start(): void {
    this.out(STATUS, 1, 0x03);
    this.accept(0x3000_0000, 1);
    this.out(STATUS, 1, 0x0b);
    this.out(STATUS, 1, 0x0f);
  }
}

describe("VirtioState", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  it("offers the device's features and those of split queues", () => {
    const words = [0, 1, 2, 0xffff_ffff].map((select) => {
      bench.out(DEVICE_FEATURE_SELECT, 4, select);
      return bench.in(DEVICE_FEATURE, 4);
    });
    // Bits 5, 28 INDIRECT_DESC, 29 EVENT_IDX; 32 VERSION_1, 40.
    assert.deepEqual(words, [0x3000_0020, 0x0000_0101, 0, 0]);
  });

  it("comes up by the steps of 3.1.1", () => {
    assert.equal(bench.in(STATUS, 1), 0);
    assert(!bench.state.begin());
    bench.start();
    assert.equal(bench.in(STATUS, 1), 0x0f);
    assert(bench.state.accepted(28) && bench.state.accepted(32) && !bench.state.accepted(5));
    assert(bench.state.begin());
  });

  it("does not take features that were not offered, or a driver without VERSION_1 (2.2.2, 6.2)", () => {
    for (const [low, high] of [
      [0x3000_0040, 1],
      [0x3000_0000, 0],
      [0, 3],
    ] as const) {
      bench.out(STATUS, 1, 0);
      bench.out(STATUS, 1, 0x03);
      bench.accept(low, high);
      bench.out(STATUS, 1, 0x0b);
      assert.equal(bench.in(STATUS, 1), 0x03);
      // DRIVER_OK does not stick either.
      bench.out(STATUS, 1, 0x0f);
      assert.equal(bench.in(STATUS, 1), 0x03);
    }
  });

  it("freezes features once they are agreed on", () => {
    bench.start();
    bench.accept(0, 0);
    bench.out(DRIVER_FEATURE_SELECT, 4, 0);
    assert.equal(bench.in(DRIVER_FEATURE, 4), 0x3000_0000);
    bench.out(DRIVER_FEATURE_SELECT, 4, 2);
    assert.equal(bench.in(DRIVER_FEATURE, 4), 0);
  });

  it("keeps status bits until a reset (2.1.1)", () => {
    bench.start();
    bench.out(STATUS, 1, 0x01);
    assert.equal(bench.in(STATUS, 1), 0x0f);
    bench.out(STATUS, 1, 0x30 | 0x40);
    assert.equal(bench.in(STATUS, 1), 0x0f);
    bench.out(STATUS, 1, 0);
    assert.equal(bench.in(STATUS, 1), 0);
    assert.deepEqual(bench.interrupts, ["clear"]);
  });

  it("describes each queue by its own registers", () => {
    assert.equal(bench.in(NUM_QUEUES, 2), 2);
    bench.out(QUEUE_SELECT, 2, 1);
    assert.deepEqual([bench.in(QUEUE_SIZE, 2), bench.in(QUEUE_NOTIFY_OFF, 2)], [16, 1]);
    bench.out(QUEUE_SIZE, 2, 8);
    bench.out(QUEUE_VECTOR, 2, 2);
    bench.out(QUEUE_DESC, 4, 0x89ab_c000);
    bench.out(QUEUE_DESC + 4, 4, 1);
    bench.out(QUEUE_DRIVER, 4, 0x2000);
    bench.out(QUEUE_DEVICE, 4, 0x3000);
    bench.out(QUEUE_ENABLE, 2, 1);
    bench.out(QUEUE_SELECT, 2, 0);
    assert.deepEqual([bench.in(QUEUE_SIZE, 2), bench.in(QUEUE_ENABLE, 2), bench.in(QUEUE_VECTOR, 2)], [64, 0, 0xffff]);
    const queue = bench.state.queues[1];
    assert(queue?.enabled);
    assert.deepEqual([queue.size, queue.vector, queue.descriptors, queue.driverArea, queue.deviceArea], [8, 2, 0x1_89ab_c000, 0x2000, 0x3000]); // prettier-ignore
  });

  it("has no queue past the last: size 0, and writes go nowhere (4.1.4.3.1)", () => {
    bench.out(QUEUE_SELECT, 2, 2);
    bench.out(QUEUE_ENABLE, 2, 1);
    bench.out(QUEUE_SIZE, 2, 4);
    const read = [QUEUE_SIZE, QUEUE_VECTOR, QUEUE_ENABLE, QUEUE_NOTIFY_OFF].map((offset) => bench.in(offset, 2));
    assert.deepEqual(read, [0, 0xffff, 0, 0]);
  });

  it("takes queue sizes that are powers of two up to the largest", () => {
    const sizes = [3, 0, 65, 128, 32].map((size) => {
      bench.out(QUEUE_SIZE, 2, size);
      return bench.in(QUEUE_SIZE, 2);
    });
    assert.deepEqual(sizes, [64, 64, 64, 64, 32]);
  });

  it("changes nothing of a queue that is on, and cannot switch it off (4.1.4.3.2)", () => {
    bench.out(QUEUE_ENABLE, 2, 1);
    bench.out(QUEUE_SIZE, 2, 8);
    bench.out(QUEUE_DESC, 4, 0x1000);
    bench.out(QUEUE_ENABLE, 2, 0);
    assert.deepEqual([bench.in(QUEUE_SIZE, 2), bench.in(QUEUE_DESC, 4), bench.in(QUEUE_ENABLE, 2)], [64, 0, 1]);
  });

  it("gives no vector to who names one that is not there (4.1.5.1.2)", () => {
    bench.out(CONFIG_VECTOR, 2, 3);
    bench.out(QUEUE_VECTOR, 2, 0xfffe);
    assert.deepEqual([bench.in(CONFIG_VECTOR, 2), bench.in(QUEUE_VECTOR, 2)], [0xffff, 0xffff]);
    bench.out(CONFIG_VECTOR, 2, 2);
    assert.equal(bench.in(CONFIG_VECTOR, 2), 2);
  });

  it("interrupts by the vectors of queue and configuration", () => {
    bench.out(CONFIG_VECTOR, 2, 0);
    bench.out(QUEUE_VECTOR, 2, 1);
    bench.start();
    bench.state.interrupt(0);
    bench.state.configChanged();
    assert.deepEqual(bench.interrupts, ["queue 1", "config 0"]);
    assert.equal(bench.in(GENERATION, 1), 1);
  });

  it("says that it needs a reset, and is off until then (2.1.2)", () => {
    bench.start();
    bench.state.needReset();
    assert.equal(bench.in(STATUS, 1), 0x4f);
    assert.deepEqual(bench.interrupts, ["config 65535"]);
    assert(!bench.state.begin());
    bench.out(STATUS, 1, 0);
    bench.start();
    assert(bench.state.begin());
  });

  it("finishes a reset only when nobody uses the guest's memory any more (Q7)", () => {
    bench.start();
    assert(bench.state.begin() && bench.state.begin());
    bench.out(STATUS, 1, 0);
    assert.equal(bench.in(STATUS, 1), 0x0f);
    assert(bench.state.wantsRest && !bench.state.begin());
    // What a driver that does not wait writes is lost.
    bench.out(STATUS, 1, 0x01);
    bench.out(QUEUE_SELECT, 2, 1);
    bench.state.end();
    assert.equal(bench.in(STATUS, 1), 0x0f);
    bench.state.end();
    assert.deepEqual([bench.in(STATUS, 1), bench.in(QUEUE_SELECT, 2)], [0, 0]);
    assert(bench.state.awaitRest(0));
  });

  it("touches no memory while it may not be bus master, and goes on afterwards", () => {
    bench.start();
    assert(!bench.state.setStopped(true));
    assert(!bench.state.begin());
    assert(bench.state.setStopped(false));
    assert(bench.state.begin());
  });

  it("starts a new epoch with each start of device or queue", () => {
    const before = bench.state.epoch();
    bench.start();
    const started = bench.state.epoch();
    bench.out(QUEUE_ENABLE, 2, 1);
    const enabled = bench.state.epoch();
    assert(before < started && started < enabled);
  });

  it("is saved and restored with its queues", () => {
    bench.out(QUEUE_DESC, 4, 0x1000);
    bench.out(QUEUE_ENABLE, 2, 1);
    bench.start();
    const other = new Bench();
    const epoch = other.state.epoch();
    other.state.restore(bench.state.save());
    assert.equal(other.in(STATUS, 1), 0x0f);
    assert.equal(other.state.queues[0]?.descriptors, 0x1000);
    assert.notEqual(other.state.epoch(), epoch);
    assert.throws(() => {
      other.state.restore({ version: 1, words: [] });
    });
  });

  it("takes any access (Q6)", () => {
    assertTakesAnything(bench.registers, 56);
  });
});
