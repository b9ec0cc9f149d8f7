import assert from "node:assert/strict";
import {
  busWindow,
  ioPorts,
  ioWindow,
  isaIrq,
  memoryWindow,
  PCI_IRQ_OFFSET,
  pciIrqs,
  resources,
} from "../../../../devices/boot/acpi/resources.js";

/** Expected bytes are put together by hand from ACPI 6.5, 6.4. */
describe("resource descriptors", () => {
  it("encodes fixed ports, 6.4.2.5", () => {
    assert.deepEqual(ioPorts(0x3f8, 8), [0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08]);
  });

  it("encodes an ISA interrupt as a mask, 6.4.2.1", () => {
    assert.deepEqual(isaIrq(4), [0x22, 0x10, 0x00]);
    assert.deepEqual(isaIrq(12), [0x22, 0x00, 0x10]);
  });

  it("encodes interrupts of PCI lines, 6.4.3.6", () => {
    const irqs = pciIrqs(5, 10);
    assert.deepEqual(irqs, [0x89, 10, 0, 0x09, 2, 5, 0, 0, 0, 10, 0, 0, 0]);
    assert.equal(irqs[PCI_IRQ_OFFSET], 5);
  });

  it("encodes a bridge's bus numbers, 6.4.3.5.3", () => {
    assert.deepEqual(busWindow(0, 255), [0x88, 13, 0, 2, 0x0c, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0x00, 0x01]);
  });

  it("encodes a bridge's ports, 6.4.3.5.3", () => {
    assert.deepEqual(
      ioWindow(0xd00, 0xffff),
      [0x88, 13, 0, 1, 0x0c, 3, 0, 0, 0x00, 0x0d, 0xff, 0xff, 0, 0, 0x00, 0xf3],
    );
  });

  it("encodes a bridge's memory, 6.4.3.5.2", () => {
    assert.deepEqual(memoryWindow(0xe000_0000, 0xfebf_ffff, false), [
      ...[0x87, 23, 0, 0, 0x0c, 1],
      ...[0, 0, 0, 0],
      ...[0, 0, 0, 0xe0],
      ...[0xff, 0xff, 0xbf, 0xfe],
      ...[0, 0, 0, 0],
      ...[0, 0, 0xc0, 0x1e],
    ]);
    assert.equal(memoryWindow(0xa_0000, 0xb_ffff, true)[5], 3);
  });

  it("ends a template with the end tag", () => {
    assert.deepEqual(resources(isaIrq(0)), [0x11, 0x08, 0x0a, 0x05, 0x22, 0x01, 0x00, 0x79, 0x00]);
  });
});
