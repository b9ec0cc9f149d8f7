/** Transactions: isolation, conflicts path by path, and what a commit does. Requests as in docs/misc/xenstore.txt. */
import assert from "node:assert/strict";
import { play, StoreDriver } from "./store-driver.js";

describe("transactions", () => {
  it("show their changes to themselves only, until the commit", () => {
    play([
      [1, 0, "WRITE data/x|old", "OK|"],
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 1, "WRITE data/x|new", "OK|"],
      [1, 1, "WRITE data/y|1", "OK|"],
      [1, 1, "READ data/x|", "new"],
      [1, 0, "READ data/x|", "old"],
      [1, 0, "READ data/y|", "ENOENT"],
      [1, 1, "TRANSACTION_END T|", "OK|"],
      [1, 0, "READ data/x|", "new"],
      [1, 0, "READ data/y|", "1"],
    ]);
  });

  it("see the store as it was at their start", () => {
    play([
      [1, 0, "WRITE data/x|old", "OK|"],
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 0, "WRITE data/x|new", "OK|"],
      [1, 0, "WRITE data/y|1", "OK|"],
      [1, 1, "READ data/x|", "old"],
      [1, 1, "DIRECTORY data|", "x|"],
      [1, 1, "TRANSACTION_END T|", "EAGAIN"],
    ]);
  });

  it("leave nothing when they are given up", () => {
    play([
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 1, "WRITE data/x|1", "OK|"],
      [1, 1, "TRANSACTION_END F|", "OK|"],
      [1, 0, "READ data/x|", "ENOENT"],
      [1, 1, "READ data/x|", "ENOENT"],
      [1, 1, "TRANSACTION_END F|", "ENOENT"],
    ]);
  });

  it("do not see nodes that they have removed, and can make them again", () => {
    play([
      [1, 0, "WRITE data/x/y|old", "OK|"],
      [1, 0, "WRITE data/x/z|old", "OK|"],
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 1, "RM data/x|", "OK|"],
      [1, 1, "READ data/x/y|", "ENOENT"],
      [1, 1, "DIRECTORY data|", ""],
      [1, 1, "WRITE data/x/y|new", "OK|"],
      [1, 1, "DIRECTORY data/x|", "y|"],
      [1, 0, "READ data/x/z|", "old"],
      [1, 1, "TRANSACTION_END T|", "OK|"],
      [1, 0, "DIRECTORY data/x|", "y|"],
      [1, 0, "READ data/x/y|", "new"],
    ]);
  });

  it("take permissions with them", () => {
    play([
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 1, "WRITE data/x|1", "OK|"],
      [1, 1, "SET_PERMS data/x|n1|r2|", "OK|"],
      [1, 1, "GET_PERMS data/x|", "n1|r2|"],
      [2, 0, "READ /local/domain/1/data/x|", "EACCES"],
      [1, 1, "TRANSACTION_END T|", "OK|"],
      [2, 0, "READ /local/domain/1/data/x|", "1"],
    ]);
  });

  it("X12: are known to their own connection only", () => {
    play([
      [1, 0, "TRANSACTION_START |", "1|"],
      [2, 1, "READ data|", "ENOENT"],
      [1, 0xffff_ffff, "READ data|", "ENOENT"],
      [1, 7, "TRANSACTION_END T|", "ENOENT"],
      [1, 7, "TRANSACTION_START |", "ENOENT"],
      [1, 1, "TRANSACTION_START |", "EBUSY"],
      [1, 0, "TRANSACTION_END T|", "ENOENT"],
      [1, 1, "TRANSACTION_END X|", "EINVAL"],
      [1, 1, "TRANSACTION_END", "EINVAL"],
      [1, 1, "WATCH data|t|", "OK|"],
      [1, 99, "UNWATCH data|t|", "OK|"],
      [1, 1, "TRANSACTION_END T|", "OK|"],
    ]);
  });

  it("X13: hold one node for one path, however often it comes and goes", () => {
    const driver = play([[1, 0, "TRANSACTION_START |", "1|"]]);
    for (let round = 0; round < 10_000; round++) {
      driver.connection(1).receive({
        type: round % 2 === 0 ? 11 : 13,
        reqId: 0,
        txId: 1,
        payload: Uint8Array.from("data/x\0", (c) => c.charCodeAt(0)),
      });
      driver.connection(1).outbox.clear();
    }
    driver.play([
      [1, 1, "TRANSACTION_END T|", "OK|"],
      [1, 0, "READ data/x|", "ENOENT"],
    ]);
    assert.deepEqual(driver.events(1), []);
  });

  it("X14: conflict over what was read, written, listed or found missing", () => {
    for (const [inside, outside] of [
      ["READ data/x|", "WRITE data/x|2"],
      ["READ data/x|", "RM data/x|"],
      ["READ data/x|", "SET_PERMS data/x|n1|r2|"],
      ["WRITE data/x|1", "WRITE data/x|2"],
      ["DIRECTORY data|", "WRITE data/y|2"],
      ["DIRECTORY data|", "RM data/x|"],
      ["READ data/y|", "WRITE data/y|2"],
      ["WRITE data/y/z|1", "WRITE data/y|2"],
      ["WRITE data/x/z|1", "RM data/x|"],
      ["RM data/x|", "WRITE data/x/y|2"],
      ["RM data/x|", "WRITE data/x|2"],
    ] as const) {
      const driver = play([
        [1, 0, "WRITE data/x|0", "OK|"],
        [1, 0, "TRANSACTION_START |", "1|"],
      ]);
      driver.ask(1, 1, inside);
      assert.equal(driver.ask(1, 0, outside), "OK|");
      assert.equal(driver.ask(1, 1, "TRANSACTION_END T|"), "EAGAIN", `${inside} against ${outside}`);
    }
  });

  it("X14: do not conflict over anything else", () => {
    for (const [inside, outside] of [
      ["READ data/x|", "WRITE data/y|2"],
      ["READ data/x|", "WRITE data/x/child|2"],
      ["WRITE data/x|1", "WRITE data/x/child|2"],
      ["WRITE data/a|1", "WRITE data/b|2"],
      ["WRITE data/a/deep|1", "WRITE data/b/deep|2"],
      ["MKDIR data/x|", "WRITE data/x|2"],
      ["DIRECTORY data|", "WRITE data/x|2"],
      ["DIRECTORY data|", "WRITE data/x/child|2"],
      ["RM data/y|", "WRITE data/x|2"],
    ] as const) {
      const driver = play([
        [1, 0, "WRITE data/x|0", "OK|"],
        [1, 0, "TRANSACTION_START |", "1|"],
      ]);
      driver.ask(1, 1, inside);
      assert.equal(driver.ask(1, 0, outside), "OK|");
      assert.equal(driver.ask(1, 1, "TRANSACTION_END T|"), "OK|", `${inside} against ${outside}`);
    }
  });

  it("X14: two that depend on each other's writes cannot both commit", () => {
    play([
      [1, 0, "WRITE data/a|1", "OK|"],
      [1, 0, "WRITE data/b|1", "OK|"],
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 0, "TRANSACTION_START |", "2|"],
      [1, 1, "READ data/a|", "1"],
      [1, 1, "WRITE data/b|0", "OK|"],
      [1, 2, "READ data/b|", "1"],
      [1, 2, "WRITE data/a|0", "OK|"],
      [1, 1, "TRANSACTION_END T|", "OK|"],
      [1, 2, "TRANSACTION_END T|", "EAGAIN"],
    ]);
  });

  it("X15: count nodes right when the same one goes inside and outside", () => {
    const driver = play([
      [1, 0, "WRITE data/x/y|1", "OK|"],
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 1, "RM data/x|", "OK|"],
      [1, 0, "RM data/x|", "OK|"],
      [1, 1, "TRANSACTION_END T|", "EAGAIN"],
    ]);
    // `data` and ten directories leave room for 989: a count that had gone astray would show.
    for (let i = 0; i < 989; i++) assert.equal(driver.ask(1, 0, `MKDIR data/${i % 10}/${i}|`), "OK|");
    assert.equal(driver.ask(1, 0, "MKDIR data/one-more|"), "ENOSPC");
  });

  it("X26: end with RESET_WATCHES, also the one it comes in", () => {
    play([
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 0, "TRANSACTION_START |", "2|"],
      [1, 1, "WRITE data/x|1", "OK|"],
      [1, 2, "RESET_WATCHES |", "OK|"],
      [1, 1, "TRANSACTION_END T|", "ENOENT"],
      [1, 2, "TRANSACTION_END T|", "ENOENT"],
      [1, 0, "READ data/x|", "ENOENT"],
    ]);
  });

  it("keep the peace of the store when dropped by the thousand", () => {
    const driver = new StoreDriver();
    for (let i = 1; i <= 2000; i++) {
      driver.play([
        [1, 0, "TRANSACTION_START |", `${i}|`],
        [1, i, `WRITE data/x|${i}`, "OK|"],
        [1, i, "TRANSACTION_END F|", "OK|"],
      ]);
    }
    assert.equal(driver.ask(1, 0, "DIRECTORY data|"), "");
  });
});
