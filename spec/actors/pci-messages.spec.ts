/** Messages of PCI functions: to an APIC, to Xen, or to memory. */
import assert from "node:assert/strict";
import { PciMessages } from "../../actors/pci-messages.js";
import { gpa } from "../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";

const PIRQ = 55;
const HIGH_RAM = 0x1_0000_0000;

function fixture() {
  const calls: string[] = [];
  const low = new MemoryRegion(gpa(0), 4096, new SharedArrayBuffer(4096));
  const high = new MemoryRegion(gpa(HIGH_RAM), 4096, new SharedArrayBuffer(4096));
  const messages = new PciMessages({
    signalApic: (address, data) => calls.push(`apic ${address.toString(16)} ${data.toString(16)}`) > 0,
    raisePirq: (pirq) => pirq === PIRQ && calls.push(`pirq ${pirq}`) > 0,
    isPirqBound: (pirq) => pirq === PIRQ,
    memory: () => new GuestMemory([low, high]),
  });
  return { messages, calls, low, high };
}

describe("PciMessages", () => {
  it("sends what is addressed to a local APIC there", () => {
    const { messages, calls } = fixture();
    assert.equal(messages.signal(0xfee0_1000, 0, 0x4031), true);
    assert.deepEqual(calls, ["apic fee01000 4031"]);
  });

  it("raises the PIRQ that a message stands for, and passes on numbers that Xen has not given out", () => {
    const { messages, calls } = fixture();
    messages.signal(0xfee3_7000, 0, 0);
    messages.signal(0xfee3_8000, 0, 0);
    assert.deepEqual(calls, ["pirq 55", "apic fee38000 0"]);
  });

  it("writes to memory what is addressed to memory, also above 4 GiB", () => {
    const { messages, calls, low, high } = fixture();
    assert.equal(messages.signal(0x10, 0, 0x1234_5678), true);
    assert.equal(messages.signal(0x20, 1, 0x9abc_def1), true);
    assert.equal(low.view.getUint32(0x10, true), 0x1234_5678);
    assert.equal(high.view.getUint32(0x20, true), 0x9abc_def1);
    assert.deepEqual(calls, []);
  });

  it("loses what is addressed to nothing, and to the end of memory (P5)", () => {
    const { messages, low } = fixture();
    assert.equal(messages.signal(0xffe, 0, 1), false);
    assert.equal(messages.signal(0xfffff000, 0xffff_ffff, 1), false);
    assert.ok(low.bytes.every((byte) => byte === 0));
  });

  it("tells every source which PIRQ was bound", () => {
    const { messages } = fixture();
    const told: string[] = [];
    for (const name of ["a", "b"]) {
      messages.enlist({
        pirqChanged: (pirq, bound) => told.push(`${name} ${pirq} ${bound}`),
        holdsPirq: (pirq) => name === "b" && pirq === 54,
      });
    }
    messages.pirqChanged(PIRQ, true);
    assert.deepEqual(told, ["a 55 true", "b 55 true"]);
    assert.deepEqual(
      [messages.isPirqBound(PIRQ), messages.isPirqHeld(PIRQ), messages.isPirqHeld(54)],
      [true, false, true],
    );
  });
});
