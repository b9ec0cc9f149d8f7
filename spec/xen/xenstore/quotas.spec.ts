/** Limits of what one guest may use; numbers are xenstored's defaults. */
import assert from "node:assert/strict";
import { Budget } from "../../../xen/xenstore/quotas.js";
import { play, StoreDriver } from "./store-driver.js";

describe("quotas", () => {
  it("X8: a node holds 2048 bytes of value and of its children's names", () => {
    const driver = play([
      [1, 0, `WRITE data/x|${"v".repeat(2048)}`, "OK|"],
      [1, 0, `WRITE data/x|${"v".repeat(2049)}`, "ENOSPC"],
      [1, 0, `WRITE data/y|${"v".repeat(2049)}`, "ENOSPC"],
      [1, 0, `WRITE data/y|${"v".repeat(4089)}`, "ENOSPC"],
      [1, 0, "READ data/y|", "ENOENT"],
      [1, 0, "WRITE data/x/child|", "ENOSPC"],
      [1, 0, `WRITE data/x|${"v".repeat(2042)}`, "OK|"],
      [1, 0, "WRITE data/x/child|", "OK|"],
      [1, 0, `WRITE data/x|${"v".repeat(2043)}`, "ENOSPC"],
      [0, 0, `WRITE /big|${"v".repeat(4000)}`, "OK|"],
    ]);
    assert.equal(driver.ask(1, 0, "READ data/x|").length, 2042);
  });

  it("X9: a guest owns 1000 nodes, and a request makes all of its nodes or none", () => {
    const driver = new StoreDriver();
    // `data` is the guest's first; ten directories and 985 leaves follow.
    for (let i = 0; i < 985; i++) assert.equal(driver.ask(1, 0, `MKDIR data/${i % 10}/${i}|`), "OK|");
    driver.play([
      [1, 0, "MKDIR data/a/b/c/d/e|", "ENOSPC"],
      [1, 0, "MKDIR data/a|", "OK|"],
      [1, 0, "MKDIR data/a/b/c/d|", "OK|"],
      [1, 0, "MKDIR data/a/b/c/d/e|", "ENOSPC"],
      [2, 0, "MKDIR data/x|", "OK|"],
      [1, 0, "RM data/a/b/c/d|", "OK|"],
      [1, 0, "MKDIR data/x|", "OK|"],
      [1, 0, "MKDIR data/y|", "ENOSPC"],
    ]);
  });

  it("X9: the limit holds at a commit, too", () => {
    const driver = new StoreDriver();
    for (let i = 0; i < 987; i++) driver.ask(1, 0, `MKDIR data/${i % 10}/${i}|`);
    driver.play([
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 0, "TRANSACTION_START |", "2|"],
      [1, 1, "MKDIR data/1/x/y|", "OK|"],
      [1, 1, "MKDIR data/1/x/z|", "ENOSPC"],
      [1, 2, "MKDIR data/2/x|", "OK|"],
      [1, 2, "TRANSACTION_END T|", "OK|"],
      [1, 1, "TRANSACTION_END T|", "ENOSPC"],
      [1, 0, "READ data/1/x|", "ENOENT"],
    ]);
  });

  it("X10: a connection has 128 watches, each of its own", () => {
    const driver = new StoreDriver();
    for (let i = 0; i < 128; i++) assert.equal(driver.ask(1, 0, `WATCH data|${i}|`), "OK|");
    driver.play([
      [1, 0, "WATCH data|0|", "EEXIST"],
      [1, 0, "WATCH /local/domain/1/data|0|", "EEXIST"],
      [1, 0, "WATCH data|128|", "E2BIG"],
      [1, 0, "UNWATCH data|64|", "OK|"],
      [1, 0, `WATCH data|${"t".repeat(4000)}|`, "OK|"],
      [1, 0, "RESET_WATCHES |", "OK|"],
      [1, 0, "WATCH data|0|", "OK|"],
    ]);
  });

  it("X11: a connection has 10 transactions", () => {
    const driver = new StoreDriver();
    for (let i = 1; i <= 10; i++) assert.equal(driver.ask(1, 0, "TRANSACTION_START |"), `${i}|`);
    driver.play([
      [1, 0, "TRANSACTION_START |", "ENOSPC"],
      [2, 0, "TRANSACTION_START |", "1|"],
      [1, 4, "TRANSACTION_END F|", "OK|"],
      [1, 0, "TRANSACTION_START |", "11|"],
    ]);
  });

  it("X11: a transaction looks at 1024 nodes, and fails when it wants more", () => {
    const driver = play([[1, 0, "TRANSACTION_START |", "1|"]]);
    for (let i = 0; i < 1024; i++) assert.equal(driver.ask(1, 1, `READ data/${i}|`), "ENOENT");
    driver.play([
      [1, 1, "READ data/1|", "ENOENT"],
      [1, 1, "READ data/1024|", "ENOSPC"],
      [1, 1, "WRITE data/1|x", "ENOSPC"],
      [1, 1, "TRANSACTION_END T|", "ENOMEM"],
      [1, 0, "READ data/1|", "ENOENT"],
      [1, 0, "TRANSACTION_START |", "2|"],
      [1, 2, "WRITE data/1|x", "OK|"],
      [1, 2, "TRANSACTION_END T|", "OK|"],
    ]);
  });

  it("a connection's transactions hold 2.5 MiB between them", () => {
    const driver = new StoreDriver();
    for (let i = 1; i <= 10; i++) driver.ask(1, 0, "TRANSACTION_START |");
    let written = 0;
    let reply = "OK|";
    for (; reply === "OK|" && written < 5000; written++) {
      reply = driver.ask(1, (written % 10) + 1, `WRITE data/${Math.floor(written / 10)}/x|${"v".repeat(2000)}`);
    }
    assert.equal(reply, "ENOMEM");
    assert(written > 1000 && written < 1300, `${written} nodes of 2000 bytes`);
    for (let i = 1; i <= 10; i++) driver.ask(1, i, "TRANSACTION_END F|");
    driver.play([
      [1, 0, "TRANSACTION_START |", "11|"],
      [1, 11, `WRITE data/x|${"v".repeat(2000)}`, "OK|"],
      [1, 11, "TRANSACTION_END T|", "OK|"],
    ]);
  });

  it("X20: a thousand levels come and go in no time", () => {
    const driver = new StoreDriver();
    const deep = `data${"/a".repeat(999)}`;
    driver.play([
      [1, 0, `MKDIR ${deep}|`, "OK|"],
      [1, 0, `MKDIR ${deep}/b|`, "ENOSPC"],
      [1, 0, `READ ${deep}/b|`, "ENOENT"],
      [1, 0, "TRANSACTION_START |", "1|"],
      [1, 1, "RM data/a|", "OK|"],
      [1, 1, "TRANSACTION_END F|", "OK|"],
      [1, 0, "RM data/a|", "OK|"],
      [1, 0, "DIRECTORY data|", ""],
    ]);
  });
});

describe("Budget", () => {
  it("gives what it has, and takes it back", () => {
    const budget = new Budget(10);
    assert.equal(budget.draw(6), true);
    assert.equal(budget.draw(5), false);
    assert.equal(budget.draw(4), true);
    assert.equal(budget.draw(-10), true);
    assert.equal(budget.used, 0);
  });
});
