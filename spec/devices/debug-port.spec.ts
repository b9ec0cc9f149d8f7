import assert from "node:assert/strict";
import { DebugPort } from "../../devices/debug-port.js";
import { assertDeviceTakesAnything, driveRanges, runSteps, smallArena } from "./port-driver.js";

class Board {
  doorbells = 0;
  readonly device = new DebugPort(smallArena(), 0x402, {
    transmit: () => {
      this.doorbells++;
    },
  });

  print(text: string): void {
    for (const character of text) this.device.write(0, 1, character.charCodeAt(0));
  }

  /** What has come out since the last call. */
  printed(): string {
    const bytes = new Uint8Array(20_000);
    return String.fromCharCode(...bytes.subarray(0, this.device.output.drain(bytes)));
  }
}

describe("DebugPort", () => {
  it("says that it is there", () => {
    runSteps(driveRanges(new Board().device.ports), [["in", 0x402, 1, 0xe9]]);
  });

  it("passes bytes on as they are written, newline or not", () => {
    const board = new Board();
    board.print("\r\nSeaBIOS \xff\0 (version");
    assert.equal(board.printed(), "\r\nSeaBIOS \xff\0 (version");
  });

  it("keeps what has been said over a reset", () => {
    const board = new Board();
    board.print("last words");
    board.device.reset();
    assert.equal(board.printed(), "last words");
  });

  it("calls its reader once for what comes while nobody looks", () => {
    const board = new Board();
    board.print("many");
    assert.equal(board.doorbells, 1);
    board.printed();
    board.print("more");
    assert.equal(board.doorbells, 2);
  });

  it("drops what does not fit rather than make the guest wait", () => {
    const board = new Board();
    board.print("x".repeat(16_384) + "lost");
    assert.equal(board.printed(), "x".repeat(16_384));
  });

  it("takes any guest input (P7)", () => {
    assertDeviceTakesAnything(new Board().device.ports);
  });
});
