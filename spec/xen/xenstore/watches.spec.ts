/** Watches: what fires them, what they tell, and how much a client can make of them. */
import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import { watchFor } from "../../../xen/xenstore/watches.js";
import { play, StoreDriver } from "./store-driver.js";

describe("watches", () => {
  it("fire once when set, with the path as it was given", () => {
    const driver = play([
      [1, 0, "WATCH data|rel|", "OK|"],
      [1, 0, "WATCH /local/domain/1/data|abs|", "OK|"],
      [1, 0, "WATCH data/none/yet|t|", "OK|"],
    ]);
    assert.deepEqual(driver.events(1), ["data|rel", "/local/domain/1/data|abs", "data/none/yet|t"]);
  });

  it("fire for the node and all below, with the path that changed", () => {
    const driver = play([
      [1, 0, "WATCH data|rel|", "OK|"],
      [1, 0, "WATCH /local/domain/1/data|abs|", "OK|"],
      [1, 0, "WATCH data/other|no|", "OK|"],
    ]);
    driver.events(1);
    driver.ask(1, 0, "WRITE data/a/b|1");
    assert.deepEqual(driver.events(1), ["data/a/b|rel", "/local/domain/1/data/a/b|abs"]);
    driver.ask(1, 0, "SET_PERMS data/a|n1|r2|");
    assert.deepEqual(driver.events(1), ["data/a|rel", "/local/domain/1/data/a|abs"]);
    driver.ask(1, 0, "MKDIR data/a|");
    driver.ask(1, 0, "READ data/a|");
    driver.ask(1, 0, "WRITE data/ab//|");
    assert.deepEqual(driver.events(1), []);
  });

  it("fire for a tree that goes: above it once, within it each on its own path", () => {
    const driver = play([
      [1, 0, "WRITE data/a/b/c|1", "OK|"],
      [1, 0, "WATCH data|top|", "OK|"],
      [1, 0, "WATCH data/a/b/c|leaf|", "OK|"],
      [1, 0, "WATCH data/a/b/none|none|", "OK|"],
    ]);
    driver.events(1);
    driver.ask(1, 0, "RM data/a|");
    assert.deepEqual(driver.events(1), ["data/a|top", "data/a/b/c|leaf"]);
    driver.ask(1, 0, "RM data/a|");
    assert.deepEqual(driver.events(1), []);
  });

  it("wait for the commit of a transaction, and hear nothing of one that fails", () => {
    const driver = play([
      [1, 0, "WRITE data/old/x|1", "OK|"],
      [1, 0, "WATCH data|t|", "OK|"],
      [1, 0, "WATCH data/old/x|x|", "OK|"],
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 1, "WRITE data/a/b|1", "OK|"],
      [1, 1, "WRITE data/a/b|2", "OK|"],
      [1, 1, "RM data/old|", "OK|"],
      [1, 1, "WRITE data/c|1", "OK|"],
      [1, 1, "RM data/c|", "OK|"],
    ]);
    assert.deepEqual(driver.events(1), ["data|t", "data/old/x|x"]);
    driver.ask(1, 1, "TRANSACTION_END T|");
    assert.deepEqual(driver.events(1), ["data/a/b|t", "data/old|t", "data/old/x|x"]);
    driver.play([
      [1, 0, "TRANSACTION_START |", "2|"],
      [1, 2, "WRITE data/d|1", "OK|"],
      [1, 2, "TRANSACTION_END F|", "OK|"],
    ]);
    assert.deepEqual(driver.events(1), []);
  });

  it("fire for a node that is removed and made again in one transaction", () => {
    const driver = play([
      [1, 0, "WRITE data/a/b|1", "OK|"],
      [1, 0, "WATCH data/a|t|", "OK|"],
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 1, "RM data/a|", "OK|"],
      [1, 1, "WRITE data/a/b|1", "OK|"],
      [1, 1, "TRANSACTION_END T|", "OK|"],
    ]);
    const [onRegistration, ...onCommit] = driver.events(1);
    assert.equal(onRegistration, "data/a|t");
    assert.deepEqual(onCommit, ["data/a|t", "data/a/b|t"]);
  });

  it("tell only those who may read the node or its parent", () => {
    const driver = play([
      [2, 0, "WATCH /local/domain/1/data|t|", "OK|"],
      [2, 0, "WATCH /|root|", "OK|"],
    ]);
    driver.events(2);
    driver.ask(1, 0, "WRITE data/x|1");
    assert.deepEqual(driver.events(2), []);
    driver.ask(1, 0, "SET_PERMS data/x|n1|r2|");
    assert.deepEqual(driver.events(2), ["/local/domain/1/data/x|t", "/local/domain/1/data/x|root"]);
    // Who loses sight of a node hears of that, too.
    driver.ask(1, 0, "SET_PERMS data/x|n1|");
    assert.deepEqual(driver.events(2).length, 2);
    driver.ask(1, 0, "RM data/x|");
    assert.deepEqual(driver.events(2), []);
  });

  it("end with UNWATCH, whichever of several on one path it is", () => {
    const driver = play([
      [1, 0, "WATCH data|1|", "OK|"],
      [1, 0, "WATCH data|2|", "OK|"],
      [1, 0, "WATCH data|3|", "OK|"],
      [1, 0, "UNWATCH data|2|", "OK|"],
      [1, 0, "UNWATCH data|2|", "ENOENT"],
      [1, 0, "UNWATCH /local/domain/1/data|1|", "OK|"],
      [2, 0, "UNWATCH /local/domain/1/data|3|", "ENOENT"],
    ]);
    driver.events(1);
    driver.ask(1, 0, "WRITE data|x");
    assert.deepEqual(driver.events(1), ["data|3"]);
    driver.play([
      [1, 0, "RESET_WATCHES |", "OK|"],
      [1, 0, "WRITE data|y", "OK|"],
    ]);
    assert.deepEqual(driver.events(1), []);
  });

  it("X18: special ones fire for dom0, and for guests that dom0 lets", () => {
    const driver = play([
      [0, 0, "WATCH @introduceDomain|in|", "OK|"],
      [0, 0, "WATCH @releaseDomain|out|", "OK|"],
      [0, 0, "WATCH /|root|", "OK|"],
      [1, 0, "WATCH @releaseDomain|out|", "OK|"],
      [1, 0, "WATCH @unheardOf|x|", "OK|"],
      [2, 0, "WATCH @releaseDomain|out|", "OK|"],
      [0, 0, "SET_PERMS @releaseDomain|n0|r2|", "OK|"],
      [0, 0, "GET_PERMS @releaseDomain|", "n0|r2|"],
      [1, 0, "GET_PERMS @releaseDomain|", "EACCES"],
    ]);
    assert.deepEqual(driver.events(1), ["@releaseDomain|out", "@unheardOf|x"]);
    for (const domid of [0, 2]) driver.events(domid);
    driver.store.introduce(domId(3));
    driver.store.release(domId(3));
    assert.deepEqual(driver.events(0), ["@introduceDomain|in", "@releaseDomain|out"]);
    assert.deepEqual(driver.events(1), []);
    assert.deepEqual(driver.events(2), ["@releaseDomain|out"]);
  });

  it("X19: 128 watches and a thousand nodes that go make a bounded heap of events", () => {
    const driver = new StoreDriver();
    for (let i = 0; i < 900; i++) driver.ask(1, 0, `MKDIR data/${i % 10}/${i}|`);
    for (let i = 0; i < 128; i++) driver.ask(1, 0, `WATCH data|${i}-${"t".repeat(1000)}|`);
    driver.events(1);
    const { outbox } = driver.connection(1);
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 10; i++) driver.client.remove(`/local/domain/1/data/${i}`);
      for (let i = 0; i < 900; i++) driver.client.write(`/local/domain/1/data/${i % 10}/${i}`, round);
    }
    let bytes = 0;
    for (let message = outbox.peek(); message !== undefined; message = outbox.peek()) {
      bytes += message.length;
      outbox.take(message.length);
    }
    assert(bytes > 900_000 && bytes <= 1_048_576, `${bytes} bytes`);
    driver.ask(1, 0, "WRITE data/0/x|1");
    assert.equal(driver.events(1).length, 128);
  });
});

describe("watchFor()", () => {
  it("shortens events only for a watch that was set by a relative path", () => {
    const dom10 = domId(10);
    assert.equal(watchFor("a", "/local/domain/10/a", "t", dom10).skip, "/local/domain/10/".length);
    assert.equal(watchFor("/a", "/a", "t", dom10).skip, 0);
    assert.equal(watchFor("@a", "@a", "t", dom10).skip, 0);
  });
});
