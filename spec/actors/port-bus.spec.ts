import assert from "node:assert/strict";
import fc from "fast-check";
import { KvmRun } from "../../actors/host/exit.js";
import type { IoExit, MmioExit } from "../../actors/host/exit.js";
import { PortBus } from "../../actors/port-bus.js";
import type { DynamicDecodes } from "../../actors/port-bus.js";
import { gpa, port } from "../../shared/brand.js";
import type { AccessSize, IoHandler, RepeatedAccess } from "../../shared/io.js";

const DATA = 4096;

type Access = readonly [kind: "read" | "write", offset: number, size: number, value: number];

/** A handler that remembers what it was asked, and answers with what it is told. */
class Recorder implements IoHandler {
  readonly accesses: Access[] = [];
  #answers: number[];

  constructor(...answers: number[]) {
    this.#answers = answers;
  }

  read(offset: number, size: AccessSize): number {
    const value = this.#answers.shift() ?? 0;
    this.accesses.push(["read", offset, size, value]);
    return value;
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.accesses.push(["write", offset, size, value]);
  }
}

function runArea(): KvmRun {
  return new KvmRun(new SharedArrayBuffer(3 * 4096), 0, 3 * 4096);
}

function io(bus: PortBus, run: KvmRun, exit: Omit<IoExit, "kind" | "dataOffset" | "port"> & { port: number }): void {
  bus.io({ kind: "io", dataOffset: DATA, ...exit, port: port(exit.port) }, run);
}

function mmio(
  bus: PortBus,
  run: KvmRun,
  exit: Omit<MmioExit, "kind" | "dataOffset" | "address"> & { address: number },
) {
  bus.mmio({ kind: "mmio", dataOffset: DATA, ...exit, address: gpa(exit.address) }, run);
}

describe("PortBus", () => {
  it("gives a whole `rep` exit to a handler that takes it", () => {
    const bus = new PortBus();
    const taken: unknown[] = [];
    const handler = {
      ...{ read: () => 0, write: () => undefined },
      readRepeated: ({ offset, size, data }: RepeatedAccess) => {
        taken.push(["read", offset, size, data.length]);
        data.fill(0x5a);
      },
      writeRepeated: ({ offset, size, data }: RepeatedAccess) => {
        taken.push(["write", offset, size, ...data]);
      },
    };
    bus.attach("disk", [{ base: port(0x1f0), length: 8, handler }]);
    const run = runArea();
    io(bus, run, { write: false, port: 0x1f0, size: 2, count: 3 });
    assert.deepEqual([...run.bytes.subarray(DATA, DATA + 7)], [0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0]);
    io(bus, run, { write: true, port: 0x1f0, size: 4, count: 2 });
    io(bus, run, { write: false, port: 0x1f0, size: 2, count: 1 });
    assert.deepEqual(taken, [
      ["read", 0, 2, 6],
      ["write", 0, 4, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0, 0],
    ]);
  });

  it("gives the handler an offset into its range, and the access's size and value", () => {
    const bus = new PortBus();
    const device = new Recorder(0x1234);
    bus.attach("device", [{ base: port(0x3f8), length: 8, handler: device }]);
    const run = runArea();
    run.view.setUint32(DATA, 0xaabb_ccdd, true);
    io(bus, run, { write: true, port: 0x3fb, size: 1, count: 1 });
    io(bus, run, { write: false, port: 0x3f8, size: 2, count: 1 });
    assert.deepEqual(device.accesses, [
      ["write", 3, 1, 0xdd],
      ["read", 0, 2, 0x1234],
    ]);
    assert.equal(run.view.getUint32(DATA, true), 0xaabb_1234);
  });

  it("floats high where nothing is attached, and drops what is written there", () => {
    const bus = new PortBus();
    const run = runArea();
    for (const [size, value] of [
      [1, 0xff],
      [2, 0xffff],
      [4, 0xffff_ffff],
    ] as const) {
      run.view.setUint32(DATA, 0, true);
      io(bus, run, { write: false, port: 0x1f0, size, count: 1 });
      assert.equal(run.view.getUint32(DATA, true), value);
      io(bus, run, { write: true, port: 0x1f0, size, count: 1 });
    }
  });

  it("answers at every one of the 65536 ports in every width (P7)", () => {
    const bus = new PortBus();
    bus.attach("edge", [{ base: port(0xffff), length: 1, handler: new Recorder() }]);
    const run = runArea();
    for (let at = 0; at < 0x1_0000; at++) {
      for (const size of [1, 2, 4] as const) {
        io(bus, run, { write: false, port: at, size, count: 1 });
        io(bus, run, { write: true, port: at, size, count: 1 });
      }
    }
  });

  for (const size of [1, 2, 4] as const) {
    it(`carries out each access of a rep outs of ${size} bytes, in order`, () => {
      const bus = new PortBus();
      const device = new Recorder();
      bus.attach("device", [{ base: port(0x10), length: 1, handler: device }]);
      const run = runArea();
      const values = [0x11, 0x22, 0x33, 0x44, 0x55];
      values.forEach((value, i) => {
        run.view.setUint8(DATA + i * size, value);
      });
      io(bus, run, { write: true, port: 0x10, size, count: values.length });
      assert.deepEqual(
        device.accesses,
        values.map((value) => ["write", 0, size, value]),
      );
    });

    it(`stores each value of a rep ins of ${size} bytes and nothing behind them`, () => {
      const bus = new PortBus();
      bus.attach("device", [{ base: port(0x10), length: 1, handler: new Recorder(1, 2, 3) }]);
      const run = runArea();
      run.bytes.fill(0xee, DATA, DATA + 16);
      io(bus, run, { write: false, port: 0x10, size, count: 3 });
      const expected = [1, 2, 3].flatMap((value) => [value, ...Array<number>(size - 1).fill(0)]);
      assert.deepEqual([...run.bytes.subarray(DATA, DATA + 3 * size + 1)], [...expected, 0xee]);
    });
  }

  it("fills a whole page of the run area by one rep insb", () => {
    const bus = new PortBus();
    const run = runArea();
    io(bus, run, { write: false, port: 0x10, size: 1, count: 4096 });
    assert.equal(
      run.bytes.subarray(DATA, DATA + 4096).every((byte) => byte === 0xff),
      true,
    );
  });

  it("stores reads as unsigned, whatever a device returns", () => {
    const bus = new PortBus();
    bus.attach("device", [{ base: port(0x10), length: 1, handler: new Recorder(-1, 1.5, NaN) }]);
    const run = runArea();
    io(bus, run, { write: false, port: 0x10, size: 4, count: 3 });
    assert.deepEqual(
      [0, 4, 8].map((at) => run.view.getUint32(DATA + at, true)),
      [0xffff_ffff, 1, 0],
    );
  });

  it("throws when two devices claim a port, naming both", () => {
    const bus = new PortBus();
    bus.attach("first", [{ base: port(0x60), length: 5, handler: new Recorder() }]);
    assert.throws(() => {
      bus.attach("second", [{ base: port(0x64), length: 1, handler: new Recorder() }]);
    }, /Cannot attach second: port 0x64 is already claimed by first/);
    assert.deepEqual(
      [0x60, 0x64, 0x65].map((at) => bus.ownerOf(port(at))),
      ["first", "first", "nothing"],
    );
  });
});

describe("PortBus with PCI functions", () => {
  /** What one PCI function decodes; `moved` tells the bus. */
  class Function implements DynamicDecodes {
    list: ReturnType<DynamicDecodes["decodes"]> = [];
    #generation = 0;

    generation(): number {
      return this.#generation;
    }

    decodes(): ReturnType<DynamicDecodes["decodes"]> {
      return this.list;
    }

    moved(list: ReturnType<DynamicDecodes["decodes"]>): void {
      this.list = list;
      this.#generation++;
    }
  }

  function read(bus: PortBus, at: number): number {
    const run = runArea();
    io(bus, run, { write: false, port: at, size: 1, count: 1 });
    return run.bytes[DATA] ?? -1;
  }

  const constant = (value: number): IoHandler => ({ read: () => value, write: () => undefined });

  it("follow their BARs as these move and stop to decode", () => {
    const bus = new PortBus();
    const pci = new Function();
    bus.attachDynamic(pci);
    pci.moved([{ kind: "io", base: 0xc000, length: 256, handler: constant(0x42) }]);
    assert.deepEqual([read(bus, 0xc000), read(bus, 0xc0ff), read(bus, 0xc100)], [0x42, 0x42, 0xff]);
    pci.moved([{ kind: "io", base: 0xd000, length: 256, handler: constant(0x42) }]);
    assert.deepEqual([read(bus, 0xc000), read(bus, 0xd000)], [0xff, 0x42]);
    pci.moved([]);
    assert.equal(read(bus, 0xd000), 0xff);
  });

  it("do not hide fixed devices, and leave them alone when they go (P3)", () => {
    const bus = new PortBus();
    bus.attach("pic", [{ base: port(0x20), length: 2, handler: constant(0x11) }]);
    const pci = new Function();
    bus.attachDynamic(pci);
    pci.moved([{ kind: "io", base: 0, length: 256, handler: constant(0x42) }]);
    assert.deepEqual([read(bus, 0x1f), read(bus, 0x20), read(bus, 0x22)], [0x42, 0x11, 0x42]);
    pci.moved([]);
    assert.deepEqual([read(bus, 0x1f), read(bus, 0x20)], [0xff, 0x11]);
  });

  it("get no ports past the end", () => {
    const bus = new PortBus();
    const pci = new Function();
    bus.attachDynamic(pci);
    pci.moved([{ kind: "io", base: 0xff80, length: 256, handler: constant(0x42) }]);
    assert.deepEqual([read(bus, 0xffff), read(bus, 0)], [0x42, 0xff]);
  });

  it("can be reprogrammed for ever without the bus growing", () => {
    const bus = new PortBus();
    bus.attach("fixed", [{ base: port(0x20), length: 2, handler: constant(0x11) }]);
    const pci = new Function();
    bus.attachDynamic(pci);
    for (let i = 0; i < 70_000; i += 7_000) {
      pci.moved(
        Array.from({ length: 4 }, (_, n) => ({ kind: "io", base: 0xc000 + n, length: 1, handler: constant(n) })),
      );
      assert.deepEqual([read(bus, 0xc003), read(bus, 0x20)], [3, 0x11]);
    }
  });

  it("have memory, too", () => {
    const bus = new PortBus();
    const pci = new Function();
    bus.attachDynamic(pci);
    const bar = new Recorder(7);
    pci.moved([{ kind: "mmio", base: 0xe000_0000, length: 4096, handler: bar }]);
    const run = runArea();
    mmio(bus, run, { write: false, address: 0xe000_0010, size: 4 });
    assert.deepEqual(bar.accesses, [["read", 0x10, 4, 7]]);
  });
});

describe("PortBus.mmio()", () => {
  function attached(...answers: number[]): { readonly bus: PortBus; readonly device: Recorder } {
    const bus = new PortBus();
    const device = new Recorder(...answers);
    bus.attachMmio([{ base: gpa(0xfec0_0000), length: 0x20, handler: device }]);
    return { bus, device };
  }

  it("splits 8 bytes into two words, low first", () => {
    const { bus, device } = attached(0x1111_1111, 0x2222_2222);
    const run = runArea();
    mmio(bus, run, { write: false, address: 0xfec0_0010, size: 8 });
    assert.equal(run.view.getBigUint64(DATA, true), 0x2222_2222_1111_1111n);
    run.view.setBigUint64(DATA, 0x4444_4444_3333_3333n, true);
    mmio(bus, run, { write: true, address: 0xfec0_0010, size: 8 });
    assert.deepEqual(device.accesses.slice(2), [
      ["write", 0x10, 4, 0x3333_3333],
      ["write", 0x14, 4, 0x4444_4444],
    ]);
  });

  it("breaks unaligned accesses into aligned pieces, and floats high outside", () => {
    const { bus, device } = attached(0xa1, 0xb2b2);
    const run = runArea();
    mmio(bus, run, { write: false, address: 0xfec0_001d, size: 5 });
    assert.deepEqual(device.accesses, [
      ["read", 0x1d, 1, 0xa1],
      ["read", 0x1e, 2, 0xb2b2],
    ]);
    assert.deepEqual([...run.bytes.subarray(DATA, DATA + 5)], [0xa1, 0xb2, 0xb2, 0xff, 0xff]);
  });

  it("covers any access of 1 to 8 bytes once, without overlap (V10)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x30 }), fc.integer({ min: 1, max: 8 }), (offset, size) => {
        const bus = new PortBus();
        const device = new Recorder();
        bus.attachMmio([{ base: gpa(0x1000), length: 0x1000, handler: device }]);
        mmio(bus, runArea(), { write: true, address: 0x1000 + offset, size });
        const bytes = device.accesses.flatMap(([, at, width]) => Array.from({ length: width }, (_, i) => at + i));
        assert.deepEqual(
          bytes,
          Array.from({ length: size }, (_, i) => offset + i),
        );
        assert(device.accesses.every(([, at, width]) => at % width === 0));
      }),
    );
  });
});
