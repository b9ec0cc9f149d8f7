/** The whole board, without a host: what answers at which port, and that it is what the machine map says. */
import assert from "node:assert/strict";
import { LEGACY_PORTS, SERIAL_PORTS } from "../../actors/machine-map.js";
import { port } from "../../shared/brand.js";
import type { MachineConfig } from "../../shared/config.js";
import { BoardRig, EVERYTHING } from "./board-rig.js";

describe("The machine map", () => {
  it("is in order of addresses, without overlaps", () => {
    const bounds = LEGACY_PORTS.flatMap(({ base, length }) => [base, base + length - 1]);
    // The i8254's speaker port lies between the keyboard controller's, and 0xcf9 within the host bridge's.
    assert.deepEqual(
      bounds,
      [...bounds].sort((a, b) => a - b),
    );
    assert.equal(new Set(bounds.filter((_, i) => i % 2 === 0)).size, LEGACY_PORTS.length);
  });

  it("gives COM1 to COM4 the ports and interrupts of a PC", () => {
    assert.deepEqual(
      SERIAL_PORTS.map(({ name, base, irq }) => [name, base, irq]),
      [
        ["com1", 0x3f8, 4],
        ["com2", 0x2f8, 3],
        ["com3", 0x3e8, 4],
        ["com4", 0x2e8, 3],
      ],
    );
  });

  for (const { base, owner } of LEGACY_PORTS) {
    it(`is true at 0x${base.toString(16)}: ${owner}`, () => {
      assert.equal(new BoardRig(EVERYTHING).board.bus.ownerOf(base), owner);
    });
  }
});

describe("Board", () => {
  it("builds the same shared state in every thread", () => {
    const buffer = new SharedArrayBuffer(1 << 20);
    const [one, other] = [new BoardRig(EVERYTHING, buffer), new BoardRig(EVERYTHING, buffer)];
    assert.equal(one.arena.used, other.arena.used);
    one.board.reset();
    // A scratch register of the UART, and CMOS memory, set in one thread and read in the other.
    one.out(0x3ff, 0x5a);
    one.out(0x70, 0x40);
    one.out(0x71, 0xa5);
    assert.equal(other.in(0x3ff), 0x5a);
    other.out(0x70, 0x40);
    assert.equal(other.in(0x71), 0xa5);
  });

  it("leaves out what is not configured: those ports float high", () => {
    const { board } = new BoardRig({});
    assert.deepEqual(
      [0x10, 0x3f8, 0x2f8, 0xf4, 0xe9].map((at) => board.bus.ownerOf(port(at))),
      ["nothing", "nothing", "nothing", "nothing", "nothing"],
    );
    assert.equal(new BoardRig({}).in(0x3fd), 0xff);
  });

  it("takes the ways of a PC to reset, to power off and to end a test", () => {
    const fixture = new BoardRig(EVERYTHING);
    fixture.board.reset();
    fixture.out(0xcf9, 0x06);
    fixture.out(0x64, 0xfe);
    fixture.out(0x92, 0x01);
    fixture.out(0xf4, 0x10, 4);
    // PM1a control at 0xb004: SLP_EN (13) with the board's SLP_TYP for S5.
    fixture.out(0xb004, 1 << 13, 2);
    assert.deepEqual(fixture.events, ["reset", "reset", "reset", "debug exit 33", "power off"]);
  });

  it("shows the Xen platform's unplug protocol, and logs the guest's lines", () => {
    const fixture = new BoardRig(EVERYTHING);
    fixture.board.reset();
    assert.equal(fixture.in(0x10, 2), 0x49d2);
    fixture.out(0x10, 3, 2);
    for (const letter of Buffer.from("hi\n")) fixture.out(0x12, letter);
    for (const letter of Buffer.from("yo\n")) fixture.out(0xe9, letter);
    assert.deepEqual(fixture.events, ["unplug 3", "xen: hi", "serial"]);
  });

  it("logs what a Xen guest writes to Xen's debug port, unless another device is there", () => {
    const xen = { accel: { xenVersion: 0x4000a } };
    const fixture = new BoardRig(xen);
    for (const letter of Buffer.from("hi\n")) fixture.out(0xe9, letter);
    assert.deepEqual(fixture.events, ["xen: hi"]);
    const owner = (config: Partial<MachineConfig>): string => new BoardRig(config).board.bus.ownerOf(port(0xe9));
    assert.equal(owner({ ...xen, debugcon: { chardev: { kind: "stream" } } }), "isa-debugcon");
    assert.equal(owner({ ...xen, debugcon: { iobase: 0x402, chardev: { kind: "stream" } } }), "xen-debug-port");
    assert.equal(owner({ ...xen, debugExit: { iobase: 0xe8, iosize: 2 } }), "isa-debug-exit");
  });

  it("has its PCI functions where a 440FX board has them", () => {
    const fixture = new BoardRig(EVERYTHING);
    fixture.board.reset();
    const ids = [0, 1, 2].flatMap((device) =>
      [0, 1, 3].map((fn) => {
        fixture.out(0xcf8, 0x8000_0000 + device * 2048 + fn * 256, 4);
        return fixture.in(0xcfc, 4);
      }),
    );
    const none = 0xffff_ffff;
    assert.deepEqual(
      ids.map((id) => id >>> 0),
      [0x1237_8086, none, none, 0x7000_8086, 0x7010_8086, 0x7113_8086, 0x0001_5853, none, none],
    );
  });

  it("has no power management without ACPI", () => {
    const fixture = new BoardRig({ ...EVERYTHING, acpi: false });
    fixture.board.reset();
    fixture.out(0xcf8, 0x8000_0b00, 4);
    assert.equal(fixture.in(0xcfc, 4) >>> 0, 0xffff_ffff);
    fixture.out(0xb2, 0xf1);
    fixture.out(0xb004, 1 << 13, 2);
    assert.deepEqual([fixture.in(0xb2), fixture.in(0xb008, 4) >>> 0, fixture.in(0xafe0)], [0xff, 0xffff_ffff, 0xff]);
    assert.deepEqual(fixture.events, []);
  });

  it("leaves BARs, interrupt routes and triggers to the firmware, where there is one", () => {
    const shadow = { ram: new Uint8Array(0x4_0000), rom: new Uint8Array(0x2_0000).fill(0x22) };
    const fixture = new BoardRig(EVERYTHING, new SharedArrayBuffer(1 << 20), shadow);
    fixture.board.reset();
    assert.deepEqual(fixture.board.bridge.decodes(), []);
    assert.equal(fixture.board.piix3.intxGsi(2, 1), -1);
    assert.deepEqual([fixture.in(0x4d0), fixture.in(0x4d1)], [0, 0]);
  });

  it("answers for the segments below 1 MiB that have no memory, where there is firmware", () => {
    const shadow = { ram: new Uint8Array(0x4_0000), rom: new Uint8Array(0x2_0000).fill(0x22) };
    const fixture = new BoardRig(EVERYTHING, new SharedArrayBuffer(1 << 20), shadow);
    fixture.board.reset();
    assert.deepEqual([fixture.load(0xc_0000), fixture.load(0xf_0000)], [0xff, 0x22]);
    fixture.out(0xcf8, 0x8000_0058, 4);
    fixture.out(0xcfd, 0x30);
    assert.deepEqual(fixture.events, ["1 segments"]);
    assert.equal(fixture.load(0xf_0000), 0);
    assert.equal(new BoardRig(EVERYTHING).load(0xf_0000), 0xff, "nobody else claims them");
  });

  it("answers at every port in every width, whatever comes (P7)", () => {
    const fixture = new BoardRig(EVERYTHING);
    fixture.board.reset();
    for (let at = 0; at < 0x1_0000; at++) {
      for (const size of [1, 2, 4] as const) {
        const value = fixture.in(at, size);
        assert(value >= 0 && value < 2 ** (8 * size));
        fixture.out(at, 0xa5a5_a5a5, size);
      }
    }
  });
});
