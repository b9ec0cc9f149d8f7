import assert from "node:assert/strict";
import { Outbox } from "../../../xen/xenstore/outbox.js";

const none = new Uint8Array(0);

function reply(reqId: number): { type: number; reqId: number; txId: number; payload: Uint8Array } {
  return { type: 2, reqId, txId: 0, payload: none };
}

/** Request ids of what waits, or -1 for an event. */
function drain(outbox: Outbox): number[] {
  const ids: number[] = [];
  for (let bytes = outbox.peek(); bytes !== undefined; bytes = outbox.peek()) {
    const words = new DataView(bytes.buffer, bytes.byteOffset);
    ids.push(words.getUint32(0, true) === 15 ? -1 : words.getUint32(4, true));
    outbox.take(bytes.length);
  }
  return ids;
}

describe("Outbox", () => {
  it("sends in order, in as many pieces as there is room for", () => {
    const outbox = new Outbox();
    outbox.reply(reply(1));
    outbox.event("data/x", "token");
    outbox.reply(reply(2));
    outbox.take(10);
    assert.equal(outbox.peek()?.length, 6);
    outbox.take(6);
    assert.deepEqual(drain(outbox), [-1, 2]);
    assert.equal(outbox.empty, true);
    outbox.take(1);
    assert.equal(outbox.empty, true);
  });

  it("X3: is full at 20 unread replies", () => {
    const outbox = new Outbox();
    for (let i = 0; i < 19; i++) outbox.reply(reply(i));
    for (let i = 0; i < 100; i++) outbox.event(`${i}`, "t");
    assert.equal(outbox.full, false);
    outbox.reply(reply(19));
    assert.equal(outbox.full, true);
    outbox.take(16);
    assert.equal(outbox.full, false);
  });

  it("XSA-326: does not queue an event that waits already, nor more than 1 MiB of them", () => {
    const outbox = new Outbox();
    for (let i = 0; i < 5000; i++) outbox.event("same", "t");
    assert.deepEqual(drain(outbox), [-1]);
    outbox.event("same", "t");
    assert.deepEqual(drain(outbox), [-1]);
    for (let i = 0; i < 5000; i++) outbox.event(`${i}`, "t".repeat(1000));
    const count = drain(outbox).length;
    assert(count > 1000 && count <= 1_048_576 / 1016, `${count} events`);
  });

  it("drops events that no message can hold", () => {
    const outbox = new Outbox();
    outbox.event("p".repeat(2047), "t".repeat(2048));
    assert.equal(outbox.empty, true);
    outbox.event("p".repeat(2047), "t".repeat(2047));
    assert.equal(outbox.empty, false);
  });

  it("keeps its order over thousands of messages", () => {
    const outbox = new Outbox();
    for (let i = 0; i < 3000; i++) outbox.event(`${i}`, "t");
    outbox.reply(reply(5));
    assert.deepEqual(drain(outbox).slice(-2), [-1, 5]);
  });

  it("comes back from its saved state in the middle of a message", () => {
    const outbox = new Outbox();
    for (let i = 0; i < 20; i++) outbox.reply(reply(i));
    outbox.event("data", "t");
    outbox.take(7);
    const restored = new Outbox();
    restored.restore(structuredClone(outbox.save()));
    assert.equal(restored.full, true);
    assert.deepEqual(restored.peek(), outbox.peek());
    restored.event("data", "t");
    restored.take(9);
    assert.deepEqual(drain(restored), [...Array.from({ length: 19 }, (_, i) => i + 1), -1]);
  });
});
