import assert from "node:assert/strict";
import fc from "fast-check";
import { type AgentFrame, encodeFrame, FrameDecoder, MAX_PAYLOAD } from "./protocol.js";

const READY = Uint8Array.of(1, 0, 0, 0, 16, 0, 0, 0, 0, 1);
const OUT = Uint8Array.of(2, 0, 0, 0, 17, 7, 0, 0, 0, 0x68, 0x69);
const ERR = Uint8Array.of(1, 0, 0, 0, 18, 7, 0, 0, 0, 0xff);
const EXIT = Uint8Array.of(2, 0, 0, 0, 19, 7, 0, 0, 0, 0, 3);

describe("encodeFrame()", () => {
  it("puts length, type and channel before a command, its stdin and its window", () => {
    const window = { rows: 0x1802, columns: 80 };
    const bytes = encodeFrame({ kind: "run", channel: 0x01020304, command: "ls", stdin: "pty", window });
    assert.deepEqual([...bytes], [7, 0, 0, 0, 1, 4, 3, 2, 1, 2, 0x02, 0x18, 80, 0, 0x6c, 0x73]);
  });

  it("ends a command's input with an empty frame", () => {
    const bytes = encodeFrame({ kind: "input", channel: 5, data: new Uint8Array(0) });
    assert.deepEqual([...bytes], [0, 0, 0, 0, 2, 5, 0, 0, 0]);
  });

  it("sends kill, resize and power-off", () => {
    assert.deepEqual([...encodeFrame({ kind: "kill", channel: 1 })], [0, 0, 0, 0, 3, 1, 0, 0, 0]);
    const resize = encodeFrame({ kind: "resize", channel: 1, window: { rows: 24, columns: 300 } });
    assert.deepEqual([...resize], [4, 0, 0, 0, 4, 1, 0, 0, 0, 24, 0, 44, 1]);
    assert.deepEqual([...encodeFrame({ kind: "power-off" })], [0, 0, 0, 0, 5, 0, 0, 0, 0]);
  });

  it("refuses a payload that the agent would not take", () => {
    const data = new Uint8Array(MAX_PAYLOAD + 1);
    assert.throws(() => encodeFrame({ kind: "input", channel: 1, data }), RangeError);
  });
});

describe("FrameDecoder", () => {
  const stream = Buffer.concat([READY, OUT, ERR, EXIT]);
  const frames: AgentFrame[] = [
    { kind: "ready", version: 1 },
    { kind: "output", channel: 7, stream: "stdout", data: Uint8Array.of(0x68, 0x69) },
    { kind: "output", channel: 7, stream: "stderr", data: Uint8Array.of(0xff) },
    { kind: "exit", channel: 7, code: 3 },
  ];

  it("gives all frames of one chunk", () => {
    assert.deepEqual(plain(new FrameDecoder().push(stream)), plain(frames));
  });

  it("gives the same frames however the stream is cut", () => {
    const cuts = fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 20 });
    fc.assert(
      fc.property(cuts, (places) => {
        const decoder = new FrameDecoder();
        const ends = [...places.sort((a, b) => a - b), stream.length];
        const got = ends.flatMap((end, index) => decoder.push(stream.subarray(ends[index - 1] ?? 0, end)));
        assert.deepEqual(plain(got), plain(frames));
      }),
      { seed: 1 },
    );
  });

  it("gives a killed command's exit code as a shell would", () => {
    const killed = Uint8Array.of(2, 0, 0, 0, 19, 7, 0, 0, 0, 1, 9);
    assert.deepEqual(new FrameDecoder().push(killed), [{ kind: "exit", channel: 7, code: 137 }]);
  });

  it("gives the reason why a command could not start", () => {
    const refused = Uint8Array.of(2, 0, 0, 0, 20, 7, 0, 0, 0, 0x6e, 0x6f);
    assert.deepEqual(new FrameDecoder().push(refused), [{ kind: "refused", channel: 7, reason: "no" }]);
  });

  it("does not believe in frames that the agent never sends", () => {
    assert.throws(() => new FrameDecoder().push(Uint8Array.of(0, 0, 0, 0, 99, 0, 0, 0, 0)), RangeError);
    assert.throws(() => new FrameDecoder().push(Uint8Array.of(0, 0, 0, 0xff, 17, 0, 0, 0, 0)), RangeError);
  });
});

/** Buffers and arrays of the same bytes alike. */
function plain(frames: readonly AgentFrame[]): unknown[] {
  return frames.map((frame) => (frame.kind === "output" ? { ...frame, data: [...frame.data] } : frame));
}
