import assert from "node:assert/strict";
import { port } from "../../shared/brand.js";
import { IsaSerial } from "../../devices/isa-serial.js";
import { Uart16550 } from "../../devices/uart16550.js";
import { RecordedLine, driveRanges, runSteps, smallArena } from "./port-driver.js";

describe("IsaSerial", () => {
  it("puts a UART's eight registers at its base", () => {
    const host = { irq: new RecordedLine(), transmit: () => undefined, receivable: () => undefined };
    const serial = new IsaSerial("com1", port(0x3f8), new Uart16550(smallArena(), host));
    serial.reset();
    assert.equal(serial.ports[0]?.length, 8);
    runSteps(driveRanges(serial.ports), [
      ["out", 0x3ff, 1, 0x5a],
      ["in", 0x3ff, 1, 0x5a],
      ["in", 0x3fd, 1, 0x60],
    ]);
  });
});
