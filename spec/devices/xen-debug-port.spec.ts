/** [HVMPORT] xen.git xen/arch/x86/hvm/hvm.c, hvm_print_line() */
import assert from "node:assert/strict";
import { XenDebugPort } from "../../devices/xen-debug-port.js";
import { assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "./port-driver.js";

class Board {
  readonly lines: string[] = [];
  readonly device = new XenDebugPort(smallArena(), {
    log: (line) => {
      this.lines.push(line);
    },
  });

  print(text: string): void {
    for (const character of text) this.device.write(0, 1, character.charCodeAt(0));
  }
}

describe("XenDebugPort", () => {
  it("reads as a port where nothing is", () => {
    runSteps(driveRanges(new Board().device.ports), [["in", 0xe9, 1, 0xff]]);
  });

  it("logs lines when they end", () => {
    const board = new Board();
    board.print("HVM Loader\nDetected");
    assert.deepEqual(board.lines, ["HVM Loader"]);
    board.print(" Xen v4.17\n\n");
    assert.deepEqual(board.lines, ["HVM Loader", "Detected Xen v4.17", ""]);
  });

  it("drops what is not printable, but for tabs", () => {
    const board = new Board();
    board.print("\ta\r\0\x1b[1mb\x7f\xff~\n");
    assert.deepEqual(board.lines, ["\ta[1mb~"]);
  });

  it("takes bytes alone", () => {
    const board = new Board();
    board.device.write(0, 2, 0x0a41);
    board.device.write(0, 4, 0x0a41_4141);
    board.print("b\n");
    assert.deepEqual(board.lines, ["b"]);
  });

  it("cuts a line that does not end", () => {
    const board = new Board();
    board.print("x".repeat(5000));
    assert.deepEqual(
      board.lines.map((line) => line.length),
      [4096],
    );
  });

  it("forgets an unfinished line at a reset", () => {
    const board = new Board();
    board.print("lost");
    board.device.reset();
    board.print("found\n");
    assert.deepEqual(board.lines, ["found"]);
  });

  it("takes anything", () => {
    assertDeviceTakesAnything(new Board().device.ports);
  });
});
