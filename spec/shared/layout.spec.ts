import assert from "node:assert/strict";
import fc from "fast-check";
import * as layout from "../../shared/layout.js";

const PAGE = 4096;

describe("The guest-physical layout", () => {
  it("keeps chips, KVM's pages and Xen's special pages apart, above the PCI window and below 4 GiB", () => {
    const ranges = [
      [layout.LOW_RAM_LIMIT, layout.PCI_WINDOW_END],
      [layout.IOAPIC_BASE, layout.IOAPIC_BASE + PAGE],
      [layout.HPET_BASE, layout.HPET_BASE + 1024],
      [layout.LAPIC_BASE, layout.LAPIC_BASE + PAGE],
      [layout.XEN_SPECIAL_BASE, layout.XEN_SPECIAL_BASE + layout.XEN_SPECIAL_PAGES * PAGE],
      // KVM_SET_IDENTITY_MAP_ADDR takes one page, KVM_SET_TSS_ADDR three.
      [layout.KVM_IDENTITY_MAP, layout.KVM_IDENTITY_MAP + PAGE],
      [layout.KVM_TSS, layout.KVM_TSS + 3 * PAGE],
    ];
    const bounds = ranges.flat();
    assert.deepEqual(
      bounds,
      [...bounds].sort((a, b) => a - b),
    );
    assert((bounds.at(-1) ?? Infinity) <= 2 ** 32);
  });

  it("has console and xenstore in two different special pages", () => {
    const first = layout.XEN_SPECIAL_BASE / PAGE;
    assert.deepEqual([layout.CONSOLE_GFN, layout.XENSTORE_GFN], [first, first + 1]);
  });
});

describe("splitRam()", () => {
  it("keeps small RAM in one piece", () => {
    assert.deepEqual(layout.splitRam(512 * 2 ** 20), { low: 512 * 2 ** 20, high: 0 });
  });

  it("puts what does not fit below 3.5 GiB above 4 GiB", () => {
    assert.deepEqual(layout.splitRam(6 * 2 ** 30), { low: 3.5 * 2 ** 30, high: 2.5 * 2 ** 30 });
  });

  it("loses nothing and leaves the PCI window free", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 28 }), (pages) => {
        const { low, high } = layout.splitRam(pages * PAGE);
        assert.equal(low + high, pages * PAGE);
        assert(low <= layout.pciWindowStart(pages * PAGE) && high >= 0);
      }),
    );
  });
});

describe("pciWindowStart()", () => {
  it("is the first of 2, 3 and 3.5 GiB that low RAM leaves free", () => {
    const gib = 2 ** 30;
    assert.deepEqual(
      [1, 2, 2.5, 3, 3.25, 8].map((ram) => layout.pciWindowStart(ram * gib) / gib),
      [2, 2, 3, 3, 3.5, 3.5],
    );
  });
});
