/** [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 4.1 "Virtio over PCI bus" */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import type { AccessSize } from "../../../shared/io.js";
import { PciHostBridge } from "../../../devices/pci/host-bridge.js";
import type { MsiSink } from "../../../devices/pci/msi-sink.js";
import { VirtioPci } from "../../../devices/virtio/virtio-pci.js";
import { assertDeviceTakesAnything, assertTakesAnything, RecordedLine, smallArena } from "../port-driver.js";
import { TestDevice } from "./test-device.js";

const BAR = 0xe000_0000;
const MSIX = 0xe001_0000;
/** Structures of the BAR, as the capabilities say. */
const STATUS = 0x14;
const ISR = 0x1000;
const DEVICE = 0x2000;
const NOTIFY = 0x3000;
/** Command: memory and bus master. */
const ON = 0x0006;

class Bench {
  readonly arena = smallArena();
  readonly device = new TestDevice();
  readonly line = new RecordedLine();
  readonly sent: (readonly [low: number, data: number])[] = [];
  readonly messages: MsiSink = {
    signal: (low, _high, data) => this.sent.push([low, data]) > 0,
    isPirqBound: () => false,
    enlist: () => undefined,
  };
  readonly pci = new VirtioPci(this.arena, { device: this.device, slot: 5, intx: this.line, messages: this.messages });
  readonly bridge = new PciHostBridge(this.arena, [this.pci]);

  constructor() {
    this.bridge.reset();
    this.place();
  }

  place(): void {
    this.configOut(0x14, 4, MSIX);
    this.configOut(0x20, 4, BAR);
    this.configOut(0x04, 2, ON);
  }

  config(offset: number, size: AccessSize): number {
    return this.bridge.readConfig(this.pci, offset, size);
  }

  configOut(offset: number, size: AccessSize, value: number): void {
    this.bridge.writeConfig(this.pci, { offset, size, value });
  }

  /** Offsets of the capabilities with an id, in the list's order. */
  capabilities(id: number): readonly number[] {
    const found: number[] = [];
    for (let at = this.config(0x34, 1); at !== 0; at = this.config(at + 1, 1)) {
      if (this.config(at, 1) === id) found.push(at);
    }
    return found;
  }

  in(offset: number, size: AccessSize): number {
    return this.#handler(offset).read(offset % 0x1_0000, size);
  }

  out(offset: number, size: AccessSize, value: number): void {
    this.#handler(offset).write(offset % 0x1_0000, size, value);
  }

  start(): void {
    this.out(STATUS, 1, 0x03);
    this.out(8, 4, 1);
    this.out(12, 4, 1);
    this.out(STATUS, 1, 0x0b);
    this.out(STATUS, 1, 0x0f);
  }

  #handler(offset: number): {
    read(offset: number, size: AccessSize): number;
    write(o: number, s: AccessSize, v: number): void;
  } {
    const base = BAR + offset - (offset % 0x1_0000);
    const decode = this.bridge.decodes().find((candidate) => candidate.base === base);
    assert(decode !== undefined);
    return decode.handler;
  }
}

describe("VirtioPci", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  it("is a function of version 1, not transitional (4.1.2)", () => {
    assert.equal(bench.config(0, 4), 0x107f_1af4);
    assert.equal(bench.config(8, 4), 0xff00_0001);
    assert.equal(bench.config(0x2c, 4), 0x1100_1af4);
    assert.equal(bench.config(0x3d, 1), 1);
  });

  it("says by capabilities where its structures are (4.1.4)", () => {
    const found = bench.capabilities(0x09).map((at) => ({
      length: bench.config(at + 2, 1),
      type: bench.config(at + 3, 1),
      bar: bench.config(at + 4, 1),
      offset: bench.config(at + 8, 4),
      extent: bench.config(at + 12, 4),
    }));
    assert.deepEqual(found, [
      { length: 16, type: 1, bar: 4, offset: 0x0000, extent: 56 },
      { length: 20, type: 2, bar: 4, offset: 0x3000, extent: 8 },
      { length: 16, type: 3, bar: 4, offset: 0x1000, extent: 1 },
      { length: 16, type: 4, bar: 4, offset: 0x2000, extent: 8 },
      { length: 20, type: 5, bar: 0, offset: 0, extent: 0 },
    ]);
    const notify = bench.capabilities(0x09)[1] ?? 0;
    assert.equal(bench.config(notify + 16, 4), 4);
  });

  it("has an MSI-X vector for the configuration and one for each queue", () => {
    const [at = 0] = bench.capabilities(0x11);
    assert.equal(bench.config(at + 2, 2) & 0x7ff, 2);
    assert.equal(bench.config(at + 4, 4), 1);
  });

  it("passes notifications on by queue", () => {
    bench.out(NOTIFY + 4, 2, 1);
    bench.out(NOTIFY, 2, 0);
    bench.out(NOTIFY + 8, 2, 2);
    bench.out(NOTIFY + 2, 2, 0);
    assert.deepEqual(bench.device.notified, [1, 0]);
  });

  it("tells where the host may watch for notifications", () => {
    assert.deepEqual(bench.pci.notifyAddresses(), [
      { address: BAR + NOTIFY, queue: 0 },
      { address: BAR + NOTIFY + 4, queue: 1 },
    ]);
    bench.configOut(0x04, 2, 0x0004);
    assert.deepEqual(bench.pci.notifyAddresses(), []);
  });

  it("gives the device's configuration, and zeros past its end", () => {
    bench.out(DEVICE + 4, 2, 0xbeef);
    assert.deepEqual([bench.in(DEVICE + 4, 4), bench.in(DEVICE + 8, 4), bench.in(DEVICE + 6, 4)], [0xbeef, 0, 0]);
    bench.out(DEVICE + 6, 4, 0xffff_ffff);
    assert.equal(bench.in(DEVICE + 4, 4), 0xbeef);
  });

  describe("without MSI-X", () => {
    it("raises INTA until the ISR status is read (4.1.4.5)", () => {
      bench.start();
      bench.pci.state.interrupt(0);
      assert.equal(bench.line.level, 1);
      bench.pci.state.configChanged();
      assert.equal(bench.in(ISR, 1), 0x03);
      assert.equal(bench.line.level, 0);
      assert.equal(bench.in(ISR, 1), 0);
    });

    it("lowers INTA at a reset", () => {
      bench.start();
      bench.pci.state.interrupt(0);
      bench.out(STATUS, 1, 0);
      assert.deepEqual([bench.line.level, bench.in(ISR, 1)], [0, 0]);
    });

    it("is silent when the command register says so", () => {
      bench.start();
      bench.configOut(0x04, 2, ON | 0x0400);
      bench.pci.state.interrupt(0);
      assert.equal(bench.line.level, 0);
    });
  });

  describe("with MSI-X", () => {
    beforeEach(() => {
      const [at = 0] = bench.capabilities(0x11);
      for (const vector of [0, 1, 2]) {
        bench.out(0x1_0000 + vector * 16, 4, 0xfee0_0000);
        bench.out(0x1_0000 + vector * 16 + 8, 4, 0x40 + vector);
        bench.out(0x1_0000 + vector * 16 + 12, 4, 0);
      }
      bench.configOut(at + 2, 2, 0x8000);
    });

    it("sends each queue's message, and leaves the ISR status alone", () => {
      bench.out(0x16, 2, 1);
      bench.out(0x1a, 2, 2);
      bench.out(0x10, 2, 0);
      bench.start();
      bench.pci.state.interrupt(1);
      bench.pci.state.interrupt(0);
      bench.pci.state.needReset();
      assert.deepEqual(bench.sent, [[0xfee0_0000, 0x42], [0xfee0_0000, 0x40]]); // prettier-ignore
      assert.deepEqual([bench.line.level, bench.in(ISR, 1)], [0, 0]);
    });
  });

  it("reaches the BARs through configuration space (4.1.4.9)", () => {
    const at = bench.capabilities(0x09)[4] ?? 0;
    const aim = (bar: number, offset: number, size: number): void => {
      bench.configOut(at + 4, 1, bar);
      bench.configOut(at + 8, 4, offset);
      bench.configOut(at + 12, 4, size);
    };
    aim(4, STATUS, 1);
    bench.configOut(at + 16, 1, 0x03);
    assert.equal(bench.in(STATUS, 1), 0x03);
    aim(4, 0x12, 2);
    assert.equal(bench.config(at + 16, 2), 2);
    aim(4, NOTIFY + 4, 2);
    bench.configOut(at + 16, 2, 1);
    assert.deepEqual(bench.device.notified, [1]);
    // What makes no sense reads back what was there.
    for (const [bar, offset, size] of [
      [4, 0x4000, 4],
      [4, 2, 4],
      [0, 0, 4],
      [4, 0, 3],
      [4, 0xffff_fffc, 4],
      [6, 0, 1],
    ] as const) {
      aim(bar, offset, size);
      bench.configOut(at + 16, 4, 0x1234_5678);
      assert.equal(bench.config(at + 16, 4), 0x1234_5678);
    }
  });

  it("looks at its queues again when it may be bus master", () => {
    bench.start();
    bench.configOut(0x04, 2, 0x0002);
    assert(!bench.pci.state.begin());
    bench.configOut(0x04, 2, ON);
    assert.deepEqual(bench.device.notified, [0, 1]);
    assert(bench.pci.state.begin());
  });

  it("is saved and restored as a whole", () => {
    bench.out(DEVICE, 4, 0x1234);
    bench.start();
    bench.pci.state.interrupt(0);
    const other = new Bench();
    other.pci.restore(bench.pci.save());
    assert.deepEqual([other.in(STATUS, 1), other.in(DEVICE, 4), other.in(ISR, 1)], [0x0f, 0x1234, 0x01]);
    assert.throws(() => {
      other.pci.restore({ version: 9, words: [] });
    });
  });

  it("takes any access to its registers and to its configuration space (Q6)", () => {
    for (const { handler, length } of bench.bridge.decodes()) assertTakesAnything(handler, length);
    assertDeviceTakesAnything(bench.bridge.ports, () => {
      bench.bridge.decodes();
    });
    assertTakesAnything(
      {
        read: (offset, size) => bench.pci.readConfig(offset, size),
        write: (offset, size, value) => {
          bench.pci.writeConfig(offset, size, value);
        },
      },
      256,
    );
  });
});
