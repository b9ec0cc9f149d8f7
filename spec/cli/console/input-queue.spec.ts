import assert from "node:assert/strict";
import { InputQueue } from "../../../cli/console/input-queue.js";

/** A queue to a guest that takes a chunk each time that `take` is called. */
function newQueue() {
  const log: string[] = [];
  const takers: (() => void)[] = [];
  const queue = new InputQueue({
    deliver(bytes) {
      log.push(`deliver ${bytes.length}`);
      return new Promise((resolve) => takers.push(resolve));
    },
    hold: () => log.push("hold"),
    release: () => log.push("release"),
  });
  async function take(): Promise<void> {
    takers.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { queue, log, take };
}

describe("InputQueue", () => {
  it("gives the guest one chunk after the other", async () => {
    const { queue, log, take } = newQueue();
    queue.push(new Uint8Array(1));
    queue.push(new Uint8Array(2));
    assert.deepEqual(log, ["deliver 1"]);
    await take();
    assert.deepEqual(log, ["deliver 1", "deliver 2"]);
    await take();
    queue.push(new Uint8Array(3));
    assert.deepEqual(log, ["deliver 1", "deliver 2", "deliver 3"]);
  });

  it("takes a paste of 1 MiB without holding the terminal (C6)", () => {
    const { queue, log } = newQueue();
    for (let i = 0; i < 16; i++) queue.push(new Uint8Array(65_536));
    assert.deepEqual(log, ["deliver 65536"]);
  });

  it("holds the terminal when more waits, until half of it is gone", async () => {
    const { queue, log, take } = newQueue();
    for (let i = 0; i < 20; i++) queue.push(new Uint8Array(65_536));
    assert.deepEqual(
      log.filter((entry) => !entry.startsWith("deliver")),
      ["hold"],
    );
    for (let i = 0; i < 11; i++) await take();
    assert.ok(!log.includes("release"));
    await take();
    assert.ok(log.includes("release"));
  });

  it("forgets what waits when the machine has ended", async () => {
    const log: string[] = [];
    const queue = new InputQueue({
      deliver(bytes) {
        log.push(`deliver ${bytes.length}`);
        return Promise.reject(new Error("ended"));
      },
      hold: () => log.push("hold"),
      release: () => log.push("release"),
    });
    for (let i = 1; i <= 3; i++) queue.push(new Uint8Array(0x8_0000));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(log, ["deliver 524288", "hold", "release"]);
  });
});
