/** Requests as docs/misc/xenstore.txt and xenstored have them: tables of who, transaction, request, reply. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { requestName } from "../../../xen/xenstore/requests.js";
import { play, StoreDriver } from "./store-driver.js";

describe("requests", () => {
  it("reads, writes and lists a guest's own nodes, by relative and absolute path", () => {
    play([
      [1, 0, "WRITE data/x|hello", "OK|"],
      [1, 0, "READ data/x|", "hello"],
      [1, 0, "READ /local/domain/1/data/x|", "hello"],
      [1, 0, "WRITE data/x|", "OK|"],
      [1, 0, "READ data/x|", ""],
      [1, 0, "WRITE data/deep/er/y|1|2|", "OK|"],
      [1, 0, "READ data/deep/er/y|", "1|2|"],
      [1, 0, "READ data/deep|", ""],
      [1, 0, "DIRECTORY data|", "x|deep|"],
      [1, 0, "DIRECTORY data/x|", ""],
      [1, 0, "READ data/none|", "ENOENT"],
      [1, 0, "DIRECTORY data/none|", "ENOENT"],
    ]);
  });

  it("makes directories, and leaves those that exist as they are", () => {
    play([
      [1, 0, "WRITE data/x|hello", "OK|"],
      [1, 0, "MKDIR data/x|", "OK|"],
      [1, 0, "READ data/x|", "hello"],
      [1, 0, "MKDIR data/a/b/c|", "OK|"],
      [1, 0, "DIRECTORY data/a/b|", "c|"],
    ]);
  });

  it("removes trees; a missing node is fine when its parent exists", () => {
    play([
      [1, 0, "WRITE data/a/b/c|1", "OK|"],
      [1, 0, "RM data/a|", "OK|"],
      [1, 0, "READ data/a/b/c|", "ENOENT"],
      [1, 0, "RM data/a|", "OK|"],
      [1, 0, "RM data/a/b|", "ENOENT"],
    ]);
  });

  it("reports permissions and lets the owner change them", () => {
    play([
      [1, 0, "WRITE data/x|1", "OK|"],
      [1, 0, "GET_PERMS data/x|", "n1|"],
      [2, 0, "READ /local/domain/1/data/x|", "EACCES"],
      [1, 0, "SET_PERMS data/x|n1|r2|", "OK|"],
      [1, 0, "GET_PERMS data/x|", "n1|r2|"],
      [2, 0, "READ /local/domain/1/data/x|", "1"],
      [2, 0, "WRITE /local/domain/1/data/x|2", "EACCES"],
      [2, 0, "SET_PERMS /local/domain/1/data/x|n2|", "EACCES"],
      [1, 0, "SET_PERMS data/x|b1|", "OK|"],
      [2, 0, "WRITE /local/domain/1/data/x|2", "OK|"],
      [1, 0, "READ data/x|", "2"],
    ]);
  });

  it("makes an unprivileged creator the owner, with the parent's other entries", () => {
    play([
      [0, 0, "WRITE /shared|", "OK|"],
      [0, 0, "SET_PERMS /shared|n0|b1|r2|", "OK|"],
      [1, 0, "WRITE /shared/mine|", "OK|"],
      [1, 0, "GET_PERMS /shared/mine|", "n1|b1|r2|"],
      [0, 0, "WRITE /shared/yours|", "OK|"],
      [0, 0, "GET_PERMS /shared/yours|", "n0|b1|r2|"],
    ]);
  });

  it("X6: refuses types that are unknown or not requests", () => {
    play([
      [1, 0, "#2147483647 x|", "ENOSYS"],
      [1, 0, "#20 x|", "ENOSYS"],
      [1, 0, "#23 x|", "ENOSYS"],
      [1, 0, "WATCH_EVENT x|y|", "ENOSYS"],
      [1, 0, "ERROR EINVAL|", "ENOSYS"],
    ]);
  });

  it("X7: refuses paths that are not legal", () => {
    play([
      [1, 0, "READ", "EINVAL"],
      [1, 0, "READ |", "EINVAL"],
      [1, 0, "READ data", "EINVAL"],
      [1, 0, "READ data|x|", "EINVAL"],
      [1, 0, "READ data//x|", "EINVAL"],
      [1, 0, "READ data/|", "EINVAL"],
      [1, 0, "READ //|", "EINVAL"],
      [1, 0, "READ a b|", "EINVAL"],
      [1, 0, "READ a.b|", "EINVAL"],
      [1, 0, "READ \u00e9|", "EINVAL"],
      [1, 0, "READ @|", "EINVAL"],
      [1, 0, "READ @releaseDomain|", "EINVAL"],
      [1, 0, `READ /${"x".repeat(3072)}|`, "EINVAL"],
      [1, 0, `READ ${"x".repeat(2049)}|`, "EINVAL"],
      [1, 0, "WRITE data/x", "EINVAL"],
      [1, 0, "WRITE |x", "EINVAL"],
      [1, 0, "WRITE @x|x", "EINVAL"],
      [1, 0, "MKDIR data/y/|", "EINVAL"],
      [1, 0, "RM |", "EINVAL"],
      [1, 0, "WATCH data|", "EINVAL"],
      [1, 0, "WATCH data|a|b|", "EINVAL"],
      [1, 0, "WATCH |t|", "EINVAL"],
      [1, 0, "UNWATCH data|", "EINVAL"],
      [1, 0, "UNWATCH data//|t|", "EINVAL"],
    ]);
  });

  it("takes the longest paths that are legal", () => {
    play([
      [0, 0, `READ /${"x".repeat(3071)}|`, "ENOENT"],
      [1, 0, `READ data/${"x".repeat(2043)}|`, "ENOENT"],
    ]);
  });

  it("X16: refuses permissions that make no sense, and giving a node away", () => {
    play([
      [1, 0, "SET_PERMS data|", "EINVAL"],
      [1, 0, "SET_PERMS data", "EINVAL"],
      [1, 0, "SET_PERMS data|x1|", "EINVAL"],
      [1, 0, "SET_PERMS data|n|", "EINVAL"],
      [1, 0, "SET_PERMS data|n-1|", "EINVAL"],
      [1, 0, "SET_PERMS data|n1|r99999|", "EINVAL"],
      [1, 0, "SET_PERMS data|n1||", "EINVAL"],
      [1, 0, "SET_PERMS data|n65535|", "ENOENT"],
      [1, 0, "SET_PERMS data|n1|r2|r3|r4|r5|r6|", "ENOSPC"],
      [1, 0, "SET_PERMS data|n2|", "EPERM"],
      [1, 0, "SET_PERMS data|n0|", "EPERM"],
      [1, 0, "SET_PERMS /|n1|", "EACCES"],
      [1, 0, "SET_PERMS @releaseDomain|n1|", "EACCES"],
      [1, 0, "GET_PERMS data|", "n1|"],
      [0, 0, "SET_PERMS /local/domain/1/data|n2|", "OK|"],
      [1, 0, "READ data|", "EACCES"],
    ]);
  });

  it("X17: keeps a guest out of everybody else's nodes", () => {
    play([
      [1, 0, "WRITE /x|1", "EACCES"],
      [1, 0, "WRITE /local/domain/0/x|1", "EACCES"],
      [1, 0, "WRITE /local/domain/2/data/x|1", "EACCES"],
      [1, 0, "WRITE name|1", "EACCES"],
      [1, 0, "WRITE x|1", "EACCES"],
      [1, 0, "MKDIR /local/domain/1/x|", "EACCES"],
      [1, 0, "READ /|", "EACCES"],
      [1, 0, "READ /tool/xenstored|", "EACCES"],
      [1, 0, "DIRECTORY /local/domain|", "EACCES"],
      [1, 0, "READ /local/domain/2/none|", "EACCES"],
      [1, 0, "RM /|", "EACCES"],
      [1, 0, "RM /local/domain/1|", "EACCES"],
      [1, 0, "RM /local/domain/2/data|", "EACCES"],
      [1, 0, "GET_PERMS /local/domain/2|", "EACCES"],
      [0, 0, "RM /|", "EINVAL"],
    ]);
  });

  it("X21: keeps what is dom0's from guests, and answers them about domains", () => {
    const driver = play([
      [1, 0, "CONTROL check|", "EACCES"],
      [1, 0, "INTRODUCE 1|1|1|", "EACCES"],
      [1, 0, "RELEASE 1|", "EACCES"],
      [1, 0, "RESUME 1|", "EACCES"],
      [1, 0, "SET_TARGET 1|0|", "EACCES"],
      [1, 0, "IS_DOMAIN_INTRODUCED 1|", "EACCES"],
      [0, 0, "CONTROL check|", "ENOSYS"],
      [1, 0, "GET_DOMAIN_PATH 7|", "/local/domain/7|"],
      [1, 0, "GET_DOMAIN_PATH 07|", "/local/domain/7|"],
      [1, 0, "GET_DOMAIN_PATH x|", "EINVAL"],
      [1, 0, "GET_DOMAIN_PATH 65536|", "EINVAL"],
      [0, 0, "IS_DOMAIN_INTRODUCED 9|", "F|"],
    ]);
    driver.store.introduce(driver.connection(1).domid);
    assert.equal(driver.ask(0, 0, "IS_DOMAIN_INTRODUCED 1|"), "T|");
  });

  it("X22: reads long directories in parts, at any offset", () => {
    const driver = new StoreDriver();
    const names = Array.from({ length: 500 }, (_, i) => `child-${i}`);
    for (const name of names) driver.client.write(`/local/domain/1/list/${name}`, "");
    driver.client.setPermissions("/local/domain/1/list", ["n0", "r1"]);
    assert.equal(driver.ask(1, 0, "DIRECTORY list|"), "E2BIG");

    let whole = "";
    let generation: string | undefined;
    for (let end = false; !end;) {
      const reply = driver.ask(1, 0, `DIRECTORY_PART list|${whole.length}|`);
      assert(reply.length <= 4096);
      const [count = ""] = reply.split("|", 1);
      generation ??= count;
      assert.equal(count, generation);
      end = reply.endsWith("||");
      whole += reply.slice(count.length + 1, end ? -1 : undefined);
    }
    assert.equal(whole, names.map((name) => `${name}|`).join(""));

    driver.play([
      [1, 0, "DIRECTORY_PART list|999999|", `${generation ?? ""}||`],
      [1, 0, "DIRECTORY_PART list|-1|", `${generation ?? ""}||`],
      [1, 0, "DIRECTORY_PART list|", "EINVAL"],
      [1, 0, "DIRECTORY_PART list|0|0|", "EINVAL"],
      [1, 0, "DIRECTORY_PART none|0|", "ENOENT"],
      [1, 0, "DIRECTORY_PART data|0|", driver.ask(1, 0, "DIRECTORY_PART data|garbage|")],
    ]);
    driver.client.write("/local/domain/1/list/one-more", "");
    assert.notEqual(driver.ask(1, 0, "DIRECTORY_PART list|999999|"), `${generation ?? ""}||`);
  });

  it("X28: takes the names of Object.prototype for names", () => {
    play([
      [1, 0, "READ data/__proto__|", "ENOENT"],
      [1, 0, "WRITE data/__proto__/toString|x", "OK|"],
      [1, 0, "WRITE data/constructor|y", "OK|"],
      [1, 0, "READ data/hasOwnProperty|", "ENOENT"],
      [1, 0, "DIRECTORY data|", "__proto__|constructor|"],
      [1, 0, "READ data/__proto__/toString|", "x"],
      [1, 0, "RM data/__proto__|", "OK|"],
      [1, 0, "DIRECTORY data|", "constructor|"],
    ]);
  });

  it("answers any type with any payload, once", () => {
    const driver = new StoreDriver();
    const text = fc.oneof(fc.constantFrom("data", "data/x", "/", "@releaseDomain", "n1", "T", "1"), fc.string());
    const request = fc.record({
      type: fc.oneof(fc.integer({ min: 0, max: 23 }), fc.nat()),
      txId: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant(0xffff_ffff)),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 64 }),
        fc
          .array(text, { maxLength: 4 })
          .map((parts) => Uint8Array.from(`${parts.join("\0")}\0`, (c) => c.charCodeAt(0))),
      ),
    });
    fc.assert(
      fc.property(request, ({ type, txId, payload }) => {
        const line = `#${type} ${Array.from(payload, (byte) => String.fromCharCode(byte)).join("")}`;
        assert.equal(typeof driver.ask(1, txId, line), "string");
      }),
      { numRuns: 1000 },
    );
  });
});

describe("requestName()", () => {
  it("gives the protocol's name, or the number", () => {
    assert.equal(requestName(22), "DIRECTORY_PART");
    assert.equal(requestName(99), "unknown (99)");
  });
});
