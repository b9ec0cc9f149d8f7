import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { Terminal } from "../../../cli/console/terminal.js";

class Input extends EventEmitter {
  readonly isTTY: boolean;
  readonly calls: string[] = [];
  gone = false;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  setRawMode(raw: boolean): void {
    if (this.gone) throw new Error("EIO");
    this.calls.push(raw ? "raw" : "cooked");
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }
}

class Output extends EventEmitter {
  readonly written: string[] = [];
  full = false;

  write(bytes: Uint8Array): boolean {
    this.written.push(new TextDecoder().decode(bytes));
    return !this.full;
  }
}

function newTerminal(isTTY = true, signal?: (name: string) => void) {
  const input = new Input(isTTY);
  const output = new Output();
  const terminal = new Terminal(signal === undefined ? { input, output } : { input, output, signal });
  return { input, output, terminal };
}

const hello = new TextEncoder().encode("hello");

describe("Terminal", () => {
  it("is raw while it is open and put back once, however often that is asked for", () => {
    const { input, terminal } = newTerminal();
    terminal.open(() => undefined);
    terminal.restore();
    terminal.restore();
    terminal.close();
    assert.deepEqual(input.calls, ["raw", "cooked", "pause"]);
  });

  it("leaves a pipe as it is", () => {
    const { input, terminal } = newTerminal(false);
    terminal.open(() => undefined);
    terminal.close();
    assert.deepEqual(input.calls, ["pause"]);
  });

  it("survives that the terminal went away", () => {
    const { input, terminal } = newTerminal();
    terminal.open(() => undefined);
    input.gone = true;
    input.emit("error", new Error("EIO"));
    terminal.restore();
    assert.deepEqual(input.calls, ["raw", "pause"]);
  });

  it("turns Ctrl-C, Ctrl-\\ and Ctrl-Z into signals where it is to", () => {
    const seen: string[] = [];
    const { input, terminal } = newTerminal(true, (name) => seen.push(name));
    terminal.open((bytes) => seen.push(new TextDecoder().decode(bytes)));
    input.emit("data", new TextEncoder().encode("a\x03b"));
    input.emit("data", new TextEncoder().encode("\x1c\x1a"));
    assert.deepEqual(seen, ["SIGINT", "ab", "SIGQUIT", "SIGTSTP"]);
  });

  it("gives them to the guest where it is not, and always when they come from a pipe", () => {
    const seen: string[] = [];
    for (const { input, terminal } of [newTerminal(), newTerminal(false, (name) => seen.push(name))]) {
      terminal.open((bytes) => seen.push(new TextDecoder().decode(bytes)));
      input.emit("data", new TextEncoder().encode("\x03"));
    }
    assert.deepEqual(seen, ["\x03", "\x03"]);
  });

  it("asks the guest to wait until its output has drained", async () => {
    const { output, terminal } = newTerminal();
    assert.equal(terminal.write(hello), undefined);
    output.full = true;
    const waiting = terminal.write(hello);
    assert.ok(waiting !== undefined);
    output.emit("drain");
    await waiting;
    assert.deepEqual(output.written, ["hello", "hello"]);
  });

  it("drops output when nobody reads any more, and holds nobody up (C6)", async () => {
    const { output, terminal } = newTerminal();
    output.full = true;
    const waiting = terminal.write(hello);
    output.emit("error", new Error("EPIPE"));
    await waiting;
    assert.equal(terminal.write(hello), undefined);
    assert.equal(output.written.length, 1);
  });
});
