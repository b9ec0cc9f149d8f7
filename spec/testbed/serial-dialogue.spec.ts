import assert from "node:assert/strict";
import { DialogueError, SerialDialogue } from "./serial-dialogue.js";

const SECOND = 1000;

function dialogue(): {
  readonly serial: SerialDialogue;
  readonly said: string[];
  readonly hear: (text: string) => void;
} {
  const said: string[] = [];
  const serial = new SerialDialogue((data) => {
    said.push(Buffer.from(data).toString("latin1"));
  });
  return {
    serial,
    said,
    hear: (text) => {
      serial.hear(Buffer.from(text, "latin1"));
    },
  };
}

describe("SerialDialogue", () => {
  it("waits for words, and for those behind them only once", async () => {
    const { serial, hear } = dialogue();
    hear("login: ");
    await serial.expect(/login: /, SECOND);
    const again = serial.expect(/login: /, SECOND);
    hear("root\r\nlogin: ");
    await again;
    assert.equal(serial.transcript, "login: root\nlogin: ");
  });

  it("finds words that come in pieces and between escape sequences, cut anywhere", async () => {
    const { serial, hear } = dialogue();
    const found = serial.expect(/GNU GRUB (\d)/, SECOND);
    for (const piece of ["\x1b", "[2;25HGN", "U \x1b[0", "m\x1b(", "BGRUB", " \x1b[?25l2"]) hear(piece);
    assert.equal((await found)[1], "2");
  });

  it("gives what a command prints", async () => {
    const { serial, said, hear } = dialogue();
    const answer = serial.command("uname", /# $/, SECOND);
    hear("uname\r\n");
    await Promise.resolve();
    hear("Linux\r\n# ");
    assert.deepEqual([await answer, said], ["Linux\n", ["uname\n"]]);
  });

  it("gives up when the words do not come, and tells what came instead", async () => {
    const { serial, hear } = dialogue();
    hear("before\n");
    await serial.expect(/before/, SECOND);
    hear("Kernel panic");
    await assert.rejects(serial.expect(/login/, 10), (cause) => {
      assert.ok(cause instanceof DialogueError);
      assert.match(cause.message, /^\/login\/: not after 10 ms\. What was said since the last match:\n\nKernel panic$/);
      return true;
    });
  });

  it("gives up when nothing more can come, after a look at what has come", async () => {
    const { serial, hear } = dialogue();
    const waiting = assert.rejects(serial.expect(/login/, SECOND), /the VMM ended/);
    serial.end("the VMM ended");
    await waiting;
    hear("done");
    await serial.expect(/done/, SECOND);
    await assert.rejects(serial.expect(/more/, SECOND), /the VMM ended/);
  });
});
