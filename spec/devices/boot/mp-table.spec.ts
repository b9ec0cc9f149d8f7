/** [MPS] Intel MultiProcessor Specification, 1.4 */
import assert from "node:assert/strict";
import { buildMpTable } from "../../../devices/boot/mp-table.js";

const ADDRESS = 0xf_0000;
const CONFIG = { apicIds: [0, 2, 255], pciIrq: (slot: number, pin: number) => (slot === 3 && pin === 1 ? 5 : 11) };
/** Bytes of an entry by its type: table 4-3. */
const LENGTHS = [20, 8, 8, 8, 8];

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
}

describe("buildMpTable()", () => {
  const bytes = buildMpTable(CONFIG, ADDRESS);
  const pointer = new DataView(bytes.buffer, 0, 16);
  const table = new DataView(bytes.buffer, 16);
  const text = (from: number, to: number): string => Buffer.from(bytes).toString("latin1", from, to);
  const entries: (readonly number[])[] = [];
  for (let at = 16 + 44; at < bytes.length;) {
    const length = LENGTHS[bytes[at] ?? 0] ?? 8;
    entries.push([...bytes.subarray(at, at + length)]);
    at += length;
  }

  it("starts with the structure that kernels look for (4.1)", () => {
    assert.equal(text(0, 4), "_MP_");
    assert.deepEqual([pointer.getUint32(4, true), pointer.getUint8(8), pointer.getUint8(9)], [ADDRESS + 16, 1, 4]);
    assert.equal(sum(bytes.subarray(0, 16)), 0);
  });

  it("has a header that counts its entries and adds up to 0 (4.2)", () => {
    assert.equal(text(16, 20), "PCMP");
    assert.deepEqual([table.getUint16(4, true), table.getUint16(34, true)], [bytes.length - 16, entries.length]);
    assert.equal(table.getUint32(36, true), 0xfee0_0000);
    assert.equal(sum(bytes.subarray(16)), 0);
  });

  it("lists the processors whose ids fit, the boot processor first (4.3.1)", () => {
    const processors = entries.filter(([type]) => type === 0).map(([, id, , flags]) => [id, flags]);
    assert.deepEqual(processors, [
      [0, 3],
      [2, 1],
    ]);
  });

  it("has the buses and the IOAPIC (4.3.2, 4.3.3)", () => {
    const buses = entries.filter(([type]) => type === 1).map(([, id, ...name]) => [id, String.fromCharCode(...name)]);
    assert.deepEqual(buses, [
      [0, "PCI   "],
      [1, "ISA   "],
    ]);
    assert.deepEqual(entries.find(([type]) => type === 2)?.slice(3), [1, 0x00, 0x00, 0xc0, 0xfe]);
  });

  it("routes every PCI slot's pins, level-triggered (4.3.4)", () => {
    const pci = entries.filter(([type, , , , bus]) => type === 3 && bus === 0);
    assert.equal(pci.length, 128);
    assert.deepEqual(pci[3 * 4 + 1]?.slice(2), [0x0d, 0, 0, 13, 0, 5]);
  });

  it("has the ISA interrupts at their pins, but the timer's at the cascade's", () => {
    const isa = entries.filter(([type, , , , bus]) => type === 3 && bus === 1);
    const pins = new Map(isa.map(([, , , , , irq, , pin]) => [irq, pin]));
    assert.deepEqual(
      [0, 2, 4, 15].map((irq) => pins.get(irq)),
      [2, undefined, 4, 15],
    );
    assert.deepEqual(
      isa.filter(([, , flags]) => flags !== 0).map(([, , , , , irq]) => irq),
      [9, 10, 11],
    );
  });

  it("connects the 8259 pair to LINT0 and NMI to LINT1 (4.3.5)", () => {
    assert.deepEqual(
      entries.filter(([type]) => type === 4).map(([, kind, , , , , apic, pin]) => [kind, apic, pin]),
      [
        [3, 255, 0],
        [1, 255, 1],
      ],
    );
  });
});
