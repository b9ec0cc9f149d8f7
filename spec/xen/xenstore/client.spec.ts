import assert from "node:assert/strict";
import { parseUnsigned } from "../../../xen/xenstore/client.js";
import { XenStore } from "../../../xen/xenstore/store.js";

describe("StoreClient", () => {
  it("reads, writes, lists and removes with dom0's rights", () => {
    const client = new XenStore().client();
    client.write("/a/b", 42);
    client.write("/a/c", "text");
    client.mkdir("/a/d");
    assert.equal(client.read("/a/b"), "42");
    assert.equal(client.readNumber("/a/b"), 42);
    assert.equal(client.readNumber("/a/c"), undefined);
    assert.equal(client.read("/none"), undefined);
    assert.deepEqual(client.list("/a"), ["b", "c", "d"]);
    assert.deepEqual(client.list("/none"), []);
    assert.equal(client.exists("/a/d"), true);
    client.setPermissions("/a/b", ["n1", "r2"]);
    assert.deepEqual(client.permissions("/a/b"), ["n1", "r2"]);
    assert.deepEqual(client.permissions("/none"), []);
    client.remove("/a");
    client.remove("/a/b/c");
    assert.equal(client.exists("/a/b"), false);
  });

  it("throws at calls that can only be our own mistake", () => {
    const client = new XenStore().client();
    assert.throws(() => {
      client.write("relative", "");
    }, /not an absolute path/);
    assert.throws(() => {
      client.write("/a b", "");
    }, RangeError);
    assert.throws(() => {
      client.setPermissions("/", ["x"]);
    }, RangeError);
    assert.throws(() => {
      client.setPermissions("/none", ["n0"]);
    }, /ENOENT/);
    assert.throws(() => client.watch("no//path", () => undefined), RangeError);
  });

  it("calls back from dispatch() only, once for each changed path", () => {
    const store = new XenStore();
    const client = store.client();
    const seen: string[] = [];
    const watch = client.watch("/a", (path) => seen.push(path));
    assert.deepEqual(seen, []);
    store.dispatch();
    assert.deepEqual(seen.splice(0), ["/a"]);
    for (let i = 0; i < 1000; i++) client.write("/a/b", i);
    client.write("/a/c", 1);
    client.write("/other", 1);
    assert.deepEqual(seen, []);
    store.dispatch();
    assert.deepEqual(seen.splice(0), ["/a/b", "/a/c"]);
    client.write("/a", 1);
    watch.close();
    store.dispatch();
    assert.deepEqual(seen, []);
  });

  it("dispatches until all is quiet, also what callbacks cause", () => {
    const store = new XenStore();
    const client = store.client();
    const seen: string[] = [];
    client.watch("/count", () => {
      const count = client.readNumber("/count") ?? 0;
      seen.push(`${count}`);
      if (count < 3) client.write("/count", count + 1);
    });
    store.dispatch();
    assert.deepEqual(seen, ["0", "1", "2", "3"]);
  });

  it("a watch closed by a callback before its turn stays silent", () => {
    const store = new XenStore();
    const client = store.client();
    const seen: string[] = [];
    const first = client.watch("/a", () => {
      seen.push("first");
      second.close();
    });
    const second = client.watch("/a", () => seen.push("second"));
    store.dispatch();
    assert.deepEqual(seen, ["first"]);
    first.close();
  });

  it("XSA-349: a flood of changed paths ends in one callback for all", () => {
    const store = new XenStore();
    const client = store.client();
    const seen: string[] = [];
    client.watch("/a", (path) => seen.push(path));
    for (let i = 0; i < 20_000; i++) client.write(`/a/${i % 5000}`, 1);
    store.dispatch();
    assert(seen.length <= 1024);
    assert(seen.includes("/a"));
  });

  it("makes a transaction's changes at once, or none when its work throws", () => {
    const store = new XenStore();
    const client = store.client();
    const seen: string[] = [];
    client.watch("/a", (path) => seen.push(path));
    store.dispatch();
    const result = client.transaction((nodes) => {
      nodes.write("/a/x", 1);
      nodes.write("/a/y", 2);
      assert.equal(client.exists("/a/x"), false);
      assert.equal(nodes.readNumber("/a/x"), 1);
      return "done";
    });
    assert.equal(result, "done");
    assert.throws(
      () =>
        client.transaction((nodes) => {
          nodes.write("/a/z", 1);
          throw new Error("no");
        }),
      /no/,
    );
    store.dispatch();
    assert.deepEqual(seen, ["/a", "/a/x", "/a/y"]);
    assert.equal(client.exists("/a/z"), false);
    assert.throws(() => {
      client.transaction((nodes) => {
        nodes.read("/a/x");
        client.write("/a/x", 9);
      });
    }, /EAGAIN/);
  });
});

describe("parseUnsigned()", () => {
  it("takes plain decimal below 2^53 and nothing else", () => {
    assert.equal(parseUnsigned("0"), 0);
    assert.equal(parseUnsigned("007"), 7);
    assert.equal(parseUnsigned("9007199254740991"), Number.MAX_SAFE_INTEGER);
    for (const text of [undefined, "", "-1", "+1", " 1", "1 ", "1e3", "0x1", "1.0", "9007199254740992", "1\0"]) {
      assert.equal(parseUnsigned(text), undefined, text);
    }
  });
});
