import assert from "node:assert/strict";
import { OutputStreams } from "../../actors/output-streams.js";

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Runs `work` and returns what nobody handled meanwhile. */
async function unhandledIn(work: () => Promise<void>): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const previous = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (reason) => unhandled.push(reason));
  try {
    await work();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.removeAllListeners("unhandledRejection");
    for (const listener of previous) process.on("unhandledRejection", listener);
  }
  return unhandled;
}

describe("OutputStreams", () => {
  it("hands chunks over one after the other, and acknowledges each when it has been handled", async () => {
    const events: string[] = [];
    const streams = new OutputStreams((stream, count) => events.push(`${stream} acknowledges ${count}`));
    streams.listen("serial0", async (chunk) => {
      events.push(`starts ${String(chunk)}`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`ends ${String(chunk)}`);
    });
    streams.deliver("serial0", bytes("one"));
    streams.deliver("serial0", bytes("three"));
    await streams.idle();
    assert.deepEqual(events, [
      `starts ${String(bytes("one"))}`,
      `ends ${String(bytes("one"))}`,
      "serial0 acknowledges 3",
      `starts ${String(bytes("three"))}`,
      `ends ${String(bytes("three"))}`,
      "serial0 acknowledges 5",
    ]);
  });

  it("takes and acknowledges what nobody listens to", async () => {
    let count = 0;
    const streams = new OutputStreams((_, more) => {
      count += more;
    });
    streams.deliver("xen-log", bytes("unheard"));
    await streams.idle();
    assert.equal(count, 7);
  });

  it("keeps streams apart: a slow listener holds back its own only", async () => {
    const seen: string[] = [];
    const streams = new OutputStreams((stream) => seen.push(stream));
    let release: () => void = () => undefined;
    streams.listen("serial0", () => new Promise<void>((resolve) => (release = resolve)));
    streams.deliver("serial0", bytes("slow"));
    streams.deliver("serial1", bytes("fast"));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(seen, ["serial1"]);
    release();
    await streams.idle();
    assert.deepEqual(seen, ["serial1", "serial0"]);
  });

  it("lets the program hear of its listener's error, and goes on", async () => {
    const seen: string[] = [];
    const streams = new OutputStreams((_, count) => seen.push(`acknowledged ${count}`));
    streams.listen("serial0", () => {
      throw new Error("listener");
    });
    const unhandled = await unhandledIn(async () => {
      streams.deliver("serial0", bytes("a"));
      streams.deliver("serial0", bytes("bc"));
      await streams.idle();
    });
    assert.deepEqual(
      unhandled.map((error) => (error as Error).message),
      ["listener", "listener"],
    );
    assert.deepEqual(seen, ["acknowledged 1", "acknowledged 2"]);
  });

  it("acknowledges nothing once closed", async () => {
    const seen: number[] = [];
    const streams = new OutputStreams((_, count) => seen.push(count));
    streams.deliver("serial0", bytes("late"));
    streams.close();
    await streams.idle();
    assert.deepEqual(seen, []);
  });
});
