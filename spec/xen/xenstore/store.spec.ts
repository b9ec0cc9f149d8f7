import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import { XenStore } from "../../../xen/xenstore/store.js";
import { parseRequest, StoreDriver } from "./store-driver.js";

describe("XenStore", () => {
  it("begins with xenstored's own nodes, which are dom0's", () => {
    const client = new XenStore().client();
    assert.deepEqual(client.list("/"), ["tool"]);
    assert.deepEqual(client.list("/tool"), ["xenstored"]);
    assert.deepEqual(client.permissions("/"), ["n0"]);
    assert.deepEqual(client.permissions("@releaseDomain"), ["n0"]);
    assert.deepEqual(client.permissions("@introduceDomain"), ["n0"]);
  });

  it("leaves nothing of a released domain's rights to the next of its number", () => {
    const driver = new StoreDriver();
    driver.play([
      [1, 0, "WRITE data/secret|1", "OK|"],
      [0, 0, "SET_PERMS /local/domain/2/name|n0|r1|r2|", "OK|"],
    ]);
    driver.store.release(domId(1));
    assert.deepEqual(driver.client.permissions("/local/domain/1/data/secret"), ["n0"]);
    assert.deepEqual(driver.client.permissions("/local/domain/1"), ["n0"]);
    assert.deepEqual(driver.client.permissions("/local/domain/2/name"), ["n0", "r2"]);
    driver.play([[2, 0, "READ name|", "guest"]]);
  });

  it("flushes a connection once, however much waits for it", () => {
    const store = new XenStore();
    let flushes = 0;
    const connection = store.connect(domId(1), { flush: () => flushes++ });
    const watch = { path: "/x", token: "t", skip: 0 };
    connection.notice(watch, "/x");
    connection.notice(watch, "/x/y");
    store.dispatch();
    store.dispatch();
    assert.equal(flushes, 1);
    connection.notice(watch, "/x");
    store.disconnect(connection);
    store.dispatch();
    assert.equal(flushes, 1);
  });

  it("is as new after a reset", () => {
    const driver = new StoreDriver();
    driver.play([
      [1, 0, "WATCH data|t|", "OK|"],
      [1, 0, "TRANSACTION_START |", "1|"],
    ]);
    const seen: string[] = [];
    driver.client.watch("/local", (path) => seen.push(path));
    driver.events(1);
    driver.connection(1).receive({ ...parseRequest("WRITE data/x|1"), reqId: 0, txId: 0 });
    driver.store.introduce(domId(1));
    driver.store.reset();
    driver.store.dispatch();
    assert.deepEqual(seen, []);
    assert.deepEqual(driver.events(1), []);
    assert.deepEqual(driver.client.list("/"), ["tool"]);
    driver.play([
      [1, 1, "TRANSACTION_END T|", "ENOENT"],
      [0, 0, "IS_DOMAIN_INTRODUCED 1|", "F|"],
    ]);
  });

  it("comes back from its saved state, with any bytes, permissions and specials", () => {
    const driver = new StoreDriver();
    driver.play([
      [1, 0, "WRITE data/x|\u00ff|\u0001", "OK|"],
      [1, 0, "SET_PERMS data/x|n1|r2|", "OK|"],
      [0, 0, "SET_PERMS @releaseDomain|n0|r1|", "OK|"],
      [0, 0, "SET_PERMS /|r0|", "OK|"],
    ]);
    driver.store.introduce(domId(1));
    const generation = driver.ask(1, 0, "DIRECTORY_PART data|9|");
    const state = structuredClone(driver.store.save());
    const other = new StoreDriver();
    other.client.write("/leftover", 1);
    other.store.restore(state);
    assert.deepEqual({ ...other.store.save(), ticks: 0 }, { ...state, ticks: 0 });
    other.play([
      [2, 0, "READ /local/domain/1/data/x|", "\u00ff|\u0001"],
      [1, 0, "GET_PERMS @releaseDomain|", "n0|r1|"],
      [2, 0, "READ /|", ""],
      [0, 0, "READ /leftover|", "ENOENT"],
      [0, 0, "IS_DOMAIN_INTRODUCED 1|", "T|"],
      [1, 0, "WRITE data/y|1", "OK|"],
    ]);
    assert.notEqual(other.ask(1, 0, "DIRECTORY_PART data|9|"), generation);
  });

  it("refuses states that it does not understand, and keeps its own", () => {
    const store = new XenStore();
    store.client().write("/kept", 1);
    const state = store.save();
    assert.throws(() => {
      store.restore({ ...state, version: 2 });
    }, RangeError);
    assert.throws(() => {
      store.restore({ ...state, nodes: [["/x", "", ["bad"]]] });
    }, RangeError);
    assert.equal(store.client().read("/kept"), "1");
  });

  it("shows each request to the trace", () => {
    const seen: string[] = [];
    const store = new XenStore((domid, request, _about, outcome) => seen.push(`${domid} ${request} ${outcome}`));
    const connection = store.connect(domId(1), { flush: () => undefined });
    connection.receive({ type: 10, reqId: 0, txId: 0, payload: Uint8Array.of(0x31, 0) });
    connection.receive({ type: 0, reqId: 0, txId: 0, payload: new Uint8Array(0) });
    assert.deepEqual(seen, ["1 GET_DOMAIN_PATH OK", "1 CONTROL EACCES"]);
  });
});
