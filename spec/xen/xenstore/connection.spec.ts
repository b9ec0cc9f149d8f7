import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import { Connection } from "../../../xen/xenstore/connection.js";
import { Tree } from "../../../xen/xenstore/tree.js";
import { WatchTable } from "../../../xen/xenstore/watches.js";
import { Failure } from "../../../xen/xenstore/wire.js";

function connect(domid: number): { connection: Connection; watches: WatchTable } {
  const watches = new WatchTable();
  const tree = new Tree();
  const connection = new Connection(
    domId(domid),
    { flush: () => undefined },
    { watches, tree: () => tree, serve: () => undefined, outputReady: () => undefined },
  );
  return { connection, watches };
}

describe("Connection", () => {
  it("numbers transactions from 1, past those that are open, round 2^32", () => {
    const { connection } = connect(1);
    assert.equal(connection.startTransaction(), 1);
    connection.restore({ ...connection.save(), nextTransaction: 0xffff_ffff });
    assert.equal(connection.startTransaction(), 0xffff_ffff);
    assert.equal(connection.startTransaction(), 2);
    assert.notEqual(connection.transaction(1), undefined);
    assert.equal(connection.transaction(0), undefined);
  });

  it("limits guests to 10 transactions, and dom0 not at all", () => {
    for (const [domid, expected] of [
      [1, 10],
      [0, 20],
    ] as const) {
      const { connection } = connect(domid);
      const started = Array.from({ length: 20 }, () => connection.startTransaction());
      assert.equal(started.filter((id) => !(id instanceof Failure)).length, expected);
    }
  });

  it("forgets everything at a reset", () => {
    const { connection, watches } = connect(1);
    const watch = { path: "/x", token: "t", skip: 0 };
    watches.add(connection, watch);
    connection.notice(watch, "/x");
    connection.startTransaction();
    connection.reset();
    assert.deepEqual(connection.save(), {
      watches: [],
      transactions: [],
      nextTransaction: 1,
      outbox: { messages: [], sent: 0 },
    });
  });

  it("keeps events that wait when only its watches are reset", () => {
    const { connection, watches } = connect(1);
    const watch = { path: "/x", token: "t", skip: 0 };
    watches.add(connection, watch);
    connection.notice(watch, "/x");
    connection.resetWatches();
    assert.equal(watches.of(connection).length, 0);
    assert.equal(connection.outbox.empty, false);
  });
});
