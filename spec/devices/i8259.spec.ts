/** [8259A] Intel 8259A Programmable Interrupt Controller, 231468-003 */
import assert from "node:assert/strict";
import { VmmError } from "../../shared/errors.js";
import { I8259 } from "../../devices/i8259.js";
import { assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "./port-driver.js";
import type { PortDriver } from "./port-driver.js";

/** As Linux sets the pair up: vectors 0x30.. and 0x38.., cascade on 2, 8086 mode; everything unmasked. */
function setUp(icw4 = 0x01): { chips: I8259; ports: PortDriver; levels: number[] } {
  const levels: number[] = [];
  const chips = new I8259(smallArena(), {
    intr: (level) => {
      levels.push(level);
    },
  });
  chips.reset();
  const ports = driveRanges(chips.ports);
  runSteps(ports, [
    ["out", 0x20, 1, 0x11],
    ["out", 0x21, 1, 0x30],
    ["out", 0x21, 1, 0x04],
    ["out", 0x21, 1, icw4],
    ["out", 0xa0, 1, 0x11],
    ["out", 0xa1, 1, 0x38],
    ["out", 0xa1, 1, 0x02],
    ["out", 0xa1, 1, icw4],
  ]);
  return { chips, ports, levels };
}

function pulse(chips: I8259, irq: number): void {
  chips.set(irq, 1);
  chips.set(irq, 0);
}

describe("I8259", () => {
  it("latches an edge and gives its vector on acknowledge", () => {
    const { chips, levels } = setUp();
    pulse(chips, 4);
    assert.equal(chips.output, 1);
    assert.equal(chips.acknowledge(), 0x34);
    assert.equal(chips.output, 0);
    assert.deepEqual(levels, [1, 0]);
  });

  it("gives the slave's vector through the cascade", () => {
    const { chips, ports } = setUp();
    pulse(chips, 8);
    assert.equal(chips.acknowledge(), 0x38);
    runSteps(ports, [
      ["out", 0x20, 1, 0x0b],
      ["in", 0x20, 1, 0x04], // ISR of the master: the cascade
      ["out", 0xa0, 1, 0x0b],
      ["in", 0xa0, 1, 0x01],
    ]);
  });

  it("reports vector 7 when the request went away, and 15 when the slave's did", () => {
    const { chips, ports } = setUp();
    assert.equal(chips.acknowledge(), 0x37);
    chips.setTriggers(0x0800);
    chips.set(11, 1);
    ports.out(0xa1, 1, 0x00);
    chips.set(11, 0);
    assert.equal(chips.acknowledge(), 0x37);
    ports.out(0x20, 1, 0x0b);
    assert.equal(ports.in(0x20, 1), 0, "a spurious interrupt is not in service");
  });

  it("keeps requests of lower priority back until the end of interrupt", () => {
    const { chips, ports } = setUp();
    pulse(chips, 3);
    chips.acknowledge();
    pulse(chips, 5);
    assert.equal(chips.output, 0);
    pulse(chips, 1);
    assert.equal(chips.output, 1);
    assert.equal(chips.acknowledge(), 0x31);
    ports.out(0x20, 1, 0x20);
    ports.out(0x20, 1, 0x20);
    assert.equal(chips.acknowledge(), 0x35);
  });

  it("ends the interrupt that a specific EOI names", () => {
    const { chips, ports } = setUp();
    pulse(chips, 6);
    chips.acknowledge();
    ports.out(0x20, 1, 0x66);
    ports.out(0x20, 1, 0x0b);
    assert.equal(ports.in(0x20, 1), 0);
  });

  it("ends interrupts by itself in automatic EOI mode", () => {
    const { chips, ports } = setUp(0x03);
    pulse(chips, 6);
    assert.equal(chips.acknowledge(), 0x36);
    ports.out(0x20, 1, 0x0b);
    assert.equal(ports.in(0x20, 1), 0);
  });

  it("does not lose a second request of the slave in automatic EOI mode", () => {
    const { chips } = setUp(0x03);
    pulse(chips, 9);
    pulse(chips, 10);
    assert.equal(chips.acknowledge(), 0x39);
    assert.equal(chips.output, 1);
    assert.equal(chips.acknowledge(), 0x3a);
  });

  it("gives the lowest priority to an input that a rotating EOI ends", () => {
    const { chips, ports } = setUp();
    pulse(chips, 0);
    chips.acknowledge();
    ports.out(0x20, 1, 0xa0);
    pulse(chips, 0);
    pulse(chips, 1);
    assert.equal(chips.acknowledge(), 0x31);
  });

  it("takes the bottom priority from a set-priority command", () => {
    const { chips, ports } = setUp();
    ports.out(0x20, 1, 0xc4);
    pulse(chips, 3);
    pulse(chips, 5);
    assert.equal(chips.acknowledge(), 0x35);
  });

  it("lets lower priorities through a masked input in special mask mode", () => {
    const { chips, ports } = setUp();
    pulse(chips, 1);
    chips.acknowledge();
    ports.out(0x21, 1, 0x02);
    pulse(chips, 4);
    assert.equal(chips.output, 0);
    ports.out(0x20, 1, 0x68);
    assert.equal(chips.output, 1);
    assert.equal(chips.acknowledge(), 0x34);
  });

  it("lets a more urgent request of the slave through in special fully nested mode", () => {
    const { chips } = setUp(0x11);
    pulse(chips, 12);
    assert.equal(chips.acknowledge(), 0x3c);
    pulse(chips, 9);
    assert.equal(chips.output, 1);
    assert.equal(chips.acknowledge(), 0x39);
  });

  it("answers a poll with the input and takes it into service", () => {
    const { chips, ports } = setUp();
    pulse(chips, 5);
    runSteps(ports, [
      ["out", 0x20, 1, 0x0c],
      ["in", 0x20, 1, 0x85],
      ["out", 0x20, 1, 0x0c],
      ["in", 0x20, 1, 0x00],
    ]);
    assert.equal(chips.output, 0);
  });

  it("holds masked requests and shows them in the IRR", () => {
    const { chips, ports } = setUp();
    ports.out(0x21, 1, 0xff);
    pulse(chips, 4);
    assert.equal(chips.output, 0);
    runSteps(ports, [
      ["in", 0x21, 1, 0xff],
      ["out", 0x20, 1, 0x0a],
      ["in", 0x20, 1, 0x10],
      ["out", 0x21, 1, 0x00],
    ]);
    assert.equal(chips.output, 1);
  });

  it("requests as long as a level-triggered input is high", () => {
    const { chips, ports } = setUp();
    ports.out(0x4d1, 1, 0x04);
    chips.set(10, 1);
    assert.equal(chips.acknowledge(), 0x3a);
    ports.out(0xa0, 1, 0x20);
    ports.out(0x20, 1, 0x20);
    assert.equal(chips.output, 1);
    chips.set(10, 0);
    assert.equal(chips.output, 0);
  });

  it("keeps the ELCR bits of board interrupts at edge", () => {
    const { ports } = setUp();
    runSteps(ports, [
      ["out", 0x4d0, 2, 0xffff],
      ["in", 0x4d0, 1, 0xf8],
      ["in", 0x4d1, 1, 0xde],
    ]);
  });

  it("forgets masks and requests on ICW1", () => {
    const { chips, ports } = setUp();
    ports.out(0x21, 1, 0xff);
    pulse(chips, 4);
    ports.out(0x20, 1, 0x11);
    runSteps(ports, [
      ["out", 0x21, 1, 0x30],
      ["out", 0x21, 1, 0x04],
      ["out", 0x21, 1, 0x01],
      ["in", 0x21, 1, 0x00],
      ["in", 0x20, 1, 0x00],
    ]);
  });

  it("skips ICW3 and ICW4 when ICW1 says so", () => {
    const { ports } = setUp();
    runSteps(ports, [
      ["out", 0x20, 1, 0x12],
      ["out", 0x21, 1, 0x40],
      ["out", 0x21, 1, 0xa5],
      ["in", 0x21, 1, 0xa5],
    ]);
  });

  it("goes on where it was after save and restore", () => {
    const { chips } = setUp();
    pulse(chips, 4);
    const other = new I8259(smallArena(), { intr: () => undefined });
    other.restore(structuredClone(chips.save()));
    assert.equal(other.output, 1);
    assert.equal(other.acknowledge(), 0x34);
  });

  it("refuses a state of another shape", () => {
    const { chips } = setUp();
    assert.throws(() => {
      chips.restore({ version: 1, words: [1, 2] });
    }, VmmError);
  });

  it("takes any guest input (P7)", () => {
    const { chips } = setUp();
    assertDeviceTakesAnything(chips.ports, () => {
      chips.acknowledge();
    });
  });
});
