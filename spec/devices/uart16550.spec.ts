/** [16550] National Semiconductor PC16550D, June 1995 */
import assert from "node:assert/strict";
import type { AccessSize } from "../../shared/io.js";
import { Uart16550 } from "../../devices/uart16550.js";
import { RecordedLine, assertTakesAnything, smallArena } from "./port-driver.js";

const RBR = 0;
const IER = 1;
const IIR = 2;
const FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

class Board {
  readonly irq = new RecordedLine();
  doorbells = 0;
  drained = 0;
  readonly uart = new Uart16550(smallArena(), {
    irq: this.irq,
    transmit: () => {
      this.doorbells++;
    },
    receivable: () => {
      this.drained++;
    },
  });

  constructor() {
    this.uart.reset();
  }

  get(register: number, size: AccessSize = 1): number {
    return this.uart.read(register, size);
  }

  put(register: number, value: number): void {
    this.uart.write(register, 1, value);
  }

  type(text: string): void {
    for (const character of text) this.uart.input.push(character.charCodeAt(0));
    this.uart.receive();
  }

  sent(): string {
    const bytes = new Uint8Array(20_000);
    return String.fromCharCode(...bytes.subarray(0, this.uart.output.drain(bytes)));
  }
}

describe("Uart16550", () => {
  it("sends what is written to THR", () => {
    const board = new Board();
    for (const character of "boot") board.put(RBR, character.charCodeAt(0));
    assert.equal(board.sent(), "boot");
  });

  it("rings the doorbell only when the ring was empty", () => {
    const board = new Board();
    board.put(RBR, 0x41);
    board.put(RBR, 0x42);
    assert.equal(board.doorbells, 1);
    board.sent();
    board.put(RBR, 0x43);
    assert.equal(board.doorbells, 2);
  });

  it("looks idle and ready out of reset", () => {
    const board = new Board();
    assert.equal(board.get(LSR), 0x60);
    assert.equal(board.get(IIR), 0x01);
    assert.equal(board.get(MSR), 0xb0);
    assert.equal(board.get(IER), 0x00);
  });

  it("keeps the divisor behind DLAB", () => {
    const board = new Board();
    board.put(LCR, 0x83);
    board.put(0, 0x01);
    board.put(1, 0x02);
    assert.equal(board.get(0), 0x01);
    assert.equal(board.get(1), 0x02);
    board.put(LCR, 0x03);
    assert.equal(board.get(IER), 0x00);
    assert.equal(board.sent(), "");
  });

  it("has a scratch register, and only the enables that exist", () => {
    const board = new Board();
    board.put(SCR, 0xa5);
    board.put(IER, 0xff);
    assert.equal(board.get(SCR), 0xa5);
    assert.equal(board.get(IER), 0x0f);
  });

  it("shows its FIFOs once they are on", () => {
    const board = new Board();
    board.put(FCR, 0x07);
    assert.equal(board.get(IIR), 0xc1);
    board.put(FCR, 0x00);
    assert.equal(board.get(IIR), 0x01);
  });

  it("raises the THR interrupt when it is enabled, and ends it when IIR is read", () => {
    const board = new Board();
    board.put(IER, 0x02);
    assert.equal(board.irq.level, 1);
    assert.equal(board.get(IIR), 0x02);
    assert.equal(board.irq.level, 0);
    assert.equal(board.get(IIR), 0x01);
  });

  it("gives an edge for every write while the THR interrupt is on", () => {
    const board = new Board();
    board.put(IER, 0x02);
    board.put(RBR, 0x41);
    board.put(RBR, 0x42);
    assert.equal(board.irq.edges, 3);
  });

  it("receives byte by byte without FIFOs", () => {
    const board = new Board();
    board.put(IER, 0x01);
    board.type("ab");
    assert.equal(board.get(LSR), 0x61);
    assert.equal(board.get(IIR), 0x04);
    assert.equal(board.get(RBR), 0x61);
    assert.equal(board.get(RBR), 0x62);
    assert.equal(board.irq.level, 0);
    assert.equal(board.get(LSR), 0x60);
  });

  it("tells data at the trigger level from less of it", () => {
    const board = new Board();
    board.put(FCR, 0x41); // trigger at 4
    board.put(IER, 0x01);
    board.type("abc");
    assert.equal(board.get(IIR), 0xcc);
    board.type("d");
    assert.equal(board.get(IIR), 0xc4);
  });

  it("loses nothing when more arrives than the FIFO holds", () => {
    const board = new Board();
    board.put(FCR, 0x01);
    board.type("0123456789abcdefghij");
    let text = "";
    while ((board.get(LSR) & 0x01) !== 0) text += String.fromCharCode(board.get(RBR));
    assert.equal(text, "0123456789abcdefghij");
    assert.equal(board.drained, 1);
  });

  it("reports THR full while nobody takes the output, and tells when it is empty again", () => {
    const board = new Board();
    while ((board.get(LSR) & 0x20) !== 0) board.put(RBR, 0x2e);
    assert.equal(board.get(LSR), 0x00);
    board.put(IER, 0x02);
    assert.equal(board.irq.level, 0);
    board.uart.transmitted();
    assert.equal(board.irq.level, 0);
    assert.equal(board.sent().length, 16_369);
    board.uart.transmitted();
    assert.equal(board.irq.level, 1);
    assert.equal(board.get(IIR), 0x02);
    assert.equal(board.get(LSR), 0x60);
  });

  it("loops data and modem lines back", () => {
    const board = new Board();
    board.put(MCR, 0x1a); // loop, OUT2, RTS
    assert.equal(board.get(MSR) & 0xf0, 0x90);
    board.put(RBR, 0x5a);
    assert.equal(board.get(RBR), 0x5a);
    assert.equal(board.sent(), "");
  });

  it("counts an overrun in loopback", () => {
    const board = new Board();
    board.put(MCR, 0x10);
    board.put(RBR, 0x01);
    board.put(RBR, 0x02);
    assert.equal(board.get(LSR), 0x63);
    assert.equal(board.get(LSR), 0x61);
  });

  it("notes changes of the modem lines until MSR is read", () => {
    const board = new Board();
    board.put(IER, 0x08);
    board.put(MCR, 0x10);
    assert.equal(board.get(IIR), 0x00);
    assert.equal(board.get(MSR), 0x0b);
    assert.equal(board.get(IIR), 0x01);
    board.put(MCR, 0x14);
    assert.equal(board.get(MSR), 0x40);
    board.put(MCR, 0x10);
    assert.equal(board.get(MSR), 0x04, "ring indication counts when it ends");
  });

  it("receives a break as a zero byte with its flag", () => {
    const board = new Board();
    board.put(IER, 0x05);
    board.uart.sendBreak();
    assert.equal(board.get(IIR), 0x06);
    assert.equal(board.get(LSR), 0x71);
    assert.equal(board.get(RBR), 0x00);
  });

  it("drops what it has received when the FIFO is cleared", () => {
    const board = new Board();
    board.put(FCR, 0x01);
    board.type("x");
    board.put(FCR, 0x03);
    assert.equal(board.get(LSR), 0x60);
  });

  it("is found to be a 16550A by the usual probe", () => {
    const board = new Board();
    board.put(IER, 0x00);
    assert.equal(board.get(IER), 0x00);
    board.put(IER, 0x0f);
    assert.equal(board.get(IER), 0x0f);
    board.put(FCR, 0x01);
    assert.equal(board.get(IIR) >> 6, 3);
    board.put(FCR, 0x21);
    assert.equal(board.get(IIR) & 0x20, 0, "not a 16750");
  });

  it("goes on where it was after save and restore", () => {
    const board = new Board();
    board.put(FCR, 0x01);
    board.put(IER, 0x01);
    board.type("z");
    const other = new Board();
    other.uart.restore(structuredClone(board.uart.save()));
    assert.equal(other.get(RBR), 0x7a);
  });

  it("takes any guest input (P7)", () => {
    const board = new Board();
    assertTakesAnything(board.uart, 8, () => {
      board.type("q");
      board.uart.transmitted();
    });
  });
});
