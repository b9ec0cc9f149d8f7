/** [IOAPIC] Intel 82093AA, 290566-001 */
import assert from "node:assert/strict";
import { IoApic } from "../../devices/ioapic.js";
import { assertTakesAnything, smallArena } from "./port-driver.js";

interface Message {
  readonly address: number;
  readonly data: number;
}

class Board {
  readonly messages: Message[] = [];
  readonly routes: number[] = [];
  accepts = true;
  readonly chip = new IoApic(smallArena(), {
    signal: (address, data) => {
      this.messages.push({ address, data });
      return this.accepts;
    },
    routesChanged: (pin) => {
      this.routes.push(pin);
    },
  });

  constructor() {
    this.chip.reset();
    this.routes.length = 0;
  }

  get(index: number): number {
    this.chip.write(0x00, 4, index);
    return this.chip.read(0x10, 4);
  }

  put(index: number, value: number): void {
    this.chip.write(0x00, 4, index);
    this.chip.write(0x10, 4, value);
  }

  /** Redirection entry of `pin`: [IOAPIC] 3.2.4. */
  route(pin: number, low: number, high = 0): void {
    this.put(0x11 + pin * 2, high);
    this.put(0x10 + pin * 2, low);
  }
}

describe("IoApic", () => {
  it("says that it has 24 pins and an EOI register", () => {
    assert.equal(new Board().get(0x01), 0x0017_0020);
  });

  it("comes out of reset with every pin masked", () => {
    const board = new Board();
    assert.equal(board.get(0x10), 0x0001_0000);
    assert.equal(board.get(0x3e), 0x0001_0000);
  });

  it("keeps the four bits of its id", () => {
    const board = new Board();
    board.put(0x00, 0xffff_ffff);
    assert.equal(board.get(0x00), 0x0f00_0000);
  });

  it("sends a rising edge once, as an MSI to the destination", () => {
    const board = new Board();
    board.route(4, 0x0000_0041, 0x0300_0000);
    board.chip.set(4, 1);
    board.chip.set(4, 1);
    assert.deepEqual(board.messages, [{ address: 0xfee0_3000, data: 0x41 }]);
    board.chip.set(4, 0);
    board.chip.set(4, 1);
    assert.equal(board.messages.length, 2);
  });

  it("puts delivery and destination mode into the message", () => {
    const board = new Board();
    board.route(4, 0x0000_0941, 0xff00_0000); // lowest priority, logical
    board.chip.set(4, 1);
    assert.deepEqual(board.messages, [{ address: 0xfeef_f004, data: 0x141 }]);
  });

  it("loses an edge on a masked pin", () => {
    const board = new Board();
    board.chip.set(4, 1);
    board.route(4, 0x41);
    assert.deepEqual(board.messages, []);
  });

  it("holds a level until it is unmasked", () => {
    const board = new Board();
    board.chip.set(10, 1);
    board.route(10, 0x8052);
    assert.deepEqual(board.messages, [{ address: 0xfee0_0000, data: 0xc052 }]);
    assert.equal(board.get(0x24), 0xc052, "remote IRR is set");
  });

  it("does not repeat a level before its EOI, and repeats it once after", () => {
    const board = new Board();
    board.route(10, 0x8052);
    board.chip.set(10, 1);
    board.chip.set(10, 1);
    assert.equal(board.messages.length, 1);
    board.chip.eoi(0x52);
    assert.equal(board.messages.length, 2);
    board.chip.set(10, 0);
    board.chip.eoi(0x52);
    assert.equal(board.messages.length, 2);
    assert.equal(board.get(0x24), 0x8052);
  });

  it("takes an EOI through its register too", () => {
    const board = new Board();
    board.route(10, 0x8052);
    board.chip.set(10, 1);
    board.chip.set(10, 0);
    board.chip.write(0x40, 4, 0x52);
    assert.equal(board.get(0x24), 0x8052);
  });

  it("tries a level again when no local APIC took it", () => {
    const board = new Board();
    board.accepts = false;
    board.route(10, 0x8052);
    board.chip.set(10, 1);
    board.accepts = true;
    board.chip.set(10, 1);
    assert.equal(board.messages.length, 2);
    assert.equal(board.get(0x24), 0xc052);
  });

  it("clears remote IRR when a pin becomes edge-triggered", () => {
    const board = new Board();
    board.route(10, 0x8052);
    board.chip.set(10, 1);
    board.put(0x24, 0x1_0052);
    assert.equal(board.get(0x24), 0x1_0052);
  });

  it("does not let the guest write delivery status or remote IRR", () => {
    const board = new Board();
    board.put(0x24, 0xffff_ffff);
    assert.equal(board.get(0x24), 0x1_afff);
  });

  it("shows the route of a pin as the message that it will send", () => {
    const board = new Board();
    board.route(10, 0x8052, 0x0100_0000);
    assert.deepEqual(board.chip.route(10), { address: 0xfee0_1000, data: 0xc052, masked: false });
    assert.equal(board.chip.route(11).masked, true);
  });

  it("keeps the route of a pin that is masked before its EOI, so that the kernel still reports it", () => {
    const board = new Board();
    board.route(10, 0x8052);
    board.chip.set(10, 1);
    board.put(0x24, 0x1_8052);
    assert.equal(board.chip.route(10).masked, false);
    board.chip.eoi(0x52);
    assert.equal(board.chip.route(10).masked, true);
    assert.equal(board.messages.length, 1);
  });

  it("tells of a changed route before a message uses it", () => {
    const board = new Board();
    board.chip.set(10, 1);
    board.put(0x24, 0x8052);
    assert.deepEqual(board.routes, [10]);
    board.put(0x24, 0x8052);
    assert.deepEqual(board.routes, [10], "the same value again changes nothing");
  });

  it("sends nothing for ExtINT: the 8259 reaches the processor directly", () => {
    const board = new Board();
    board.route(0, 0x0700);
    board.chip.set(0, 1);
    assert.deepEqual(board.messages, []);
    assert.equal(board.chip.route(0).masked, true);
  });

  it("reads as zero at registers and widths that are not there", () => {
    const board = new Board();
    board.chip.write(0x00, 4, 0x01);
    assert.equal(board.chip.read(0x10, 1), 0);
    assert.equal(board.chip.read(0x20, 4), 0);
    assert.equal(board.get(0xff), 0);
  });

  it("goes on where it was after save and restore", () => {
    const board = new Board();
    board.route(10, 0x8052);
    board.chip.set(10, 1);
    const other = new Board();
    other.chip.restore(structuredClone(board.chip.save()));
    assert.equal(other.get(0x24), 0xc052);
    other.chip.eoi(0x52);
    assert.equal(other.messages.length, 1);
  });

  it("takes any guest input", () => {
    const board = new Board();
    assertTakesAnything(board.chip, 0x48, () => {
      board.chip.set(3, 1);
      board.chip.eoi(3);
    });
  });
});
