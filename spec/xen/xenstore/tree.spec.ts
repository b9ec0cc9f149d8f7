import assert from "node:assert/strict";
import fc from "fast-check";
import type { Permissions } from "../../../xen/xenstore/permissions.js";
import { Tree } from "../../../xen/xenstore/tree.js";

const dom0: Permissions = [{ domid: 0, access: 0 }];
const dom1: Permissions = [{ domid: 1, access: 0 }];
const none = new Uint8Array(0);

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Paths and values, in the tree's own order. */
function contents(tree: Tree): [string, string][] {
  return Array.from(tree.walk("/"), ({ path, node }) => [path, String.fromCharCode(...node.value)]);
}

describe("Tree", () => {
  it("begins with the root, which is dom0's", () => {
    const tree = new Tree();
    assert.deepEqual(contents(tree), [["/", ""]]);
    assert.equal(tree.entries(0), 1);
    assert.deepEqual(tree.specials(), []);
  });

  it("creates what is missing above a node, and walks parents first", () => {
    const tree = new Tree();
    tree.create("/a/b", bytes("1"), dom1);
    tree.create("/c", bytes("2"), dom1);
    tree.create("@special", none, dom0);
    assert.deepEqual(contents(tree), [
      ["/", ""],
      ["/a", ""],
      ["/a/b", "1"],
      ["/c", "2"],
    ]);
    assert.equal(tree.entries(1), 3);
    assert.deepEqual(tree.specials(), ["@special"]);
    assert.equal(tree.get("/")?.childBytes, 4);
    assert.equal(tree.closest("/a/x/y").path, "/a");
    assert.equal(tree.closest("/x").path, "/");
    assert.equal(tree.closest("/a/b").path, "/a/b");
    assert.equal(tree.closest("@unknown").path, "/");
  });

  it("counts nodes for their owners, whoever owns them now", () => {
    const tree = new Tree();
    tree.create("/a/b/c", none, dom1);
    tree.setPermissions("/a/b", dom0);
    assert.equal(tree.entries(1), 2);
    tree.remove("/a");
    assert.equal(tree.entries(1), 0);
    assert.equal(tree.entries(0), 1);
    assert.equal(tree.get("/")?.childBytes, 0);
  });

  it("stamps each change of each aspect anew", () => {
    const tree = new Tree();
    tree.create("/a", none, dom0);
    const before = { ...tree.get("/a") };
    tree.setValue("/a", bytes("x"));
    tree.create("/a/b", none, dom0);
    const after = { ...tree.get("/a") };
    assert.notEqual(after.valueStamp, before.valueStamp);
    assert.notEqual(after.childrenStamp, before.childrenStamp);
    assert.equal(after.permissionsStamp, before.permissionsStamp);
  });

  it("X20: nests a thousand levels and removes them", () => {
    const tree = new Tree();
    const deep = "/a".repeat(1500);
    tree.create(deep, bytes("x"), dom1);
    assert.equal(tree.entries(1), 1500);
    assert.equal(Array.from(tree.fork().walk("/a")).length, 1500);
    tree.remove("/a");
    assert.equal(tree.entries(1), 0);
  });

  it("X28: has no names but those that were made", () => {
    const tree = new Tree();
    assert.equal(tree.get("/__proto__"), undefined);
    tree.create("/__proto__/constructor", bytes("x"), dom1);
    assert.deepEqual(contents(tree).slice(1), [
      ["/__proto__", ""],
      ["/__proto__/constructor", "x"],
    ]);
  });

  it("refuses to change what does not exist", () => {
    assert.throws(() => {
      new Tree().setValue("/a", none);
    }, /does not exist/);
  });

  it("forks that change share nothing of their changes", () => {
    const name = fc.constantFrom("a", "b", "c");
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join("/")}`);
    const step = fc.record({
      tree: fc.nat({ max: 3 }),
      action: fc.constantFrom("write", "write", "remove", "fork"),
      path,
      value: fc.string({ minLength: 1, maxLength: 2, unit: "grapheme-ascii" }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const trees = [new Tree()];
        // The plain picture of each tree: path to value.
        const models = [new Map([["/", ""]])];
        for (const { tree: index, action, path: at, value } of steps) {
          const which = index % trees.length;
          const [tree, model] = [trees[which], models[which]];
          assert(tree !== undefined && model !== undefined);
          if (action === "fork") {
            trees.push(tree.fork());
            models.push(new Map(model));
          } else if (action === "remove") {
            if (tree.get(at) !== undefined) tree.remove(at);
            for (const known of [...model.keys()]) if (`${known}/`.startsWith(`${at}/`)) model.delete(known);
          } else {
            if (tree.get(at) === undefined) tree.create(at, bytes(value), dom1);
            else tree.setValue(at, bytes(value));
            for (let slash = at.indexOf("/", 1); slash > 0; slash = at.indexOf("/", slash + 1)) {
              if (!model.has(at.slice(0, slash))) model.set(at.slice(0, slash), "");
            }
            model.set(at, value);
          }
        }
        for (const [i, tree] of trees.entries()) {
          assert.deepEqual(contents(tree).sort(), [...(models[i] ?? [])].sort());
          assert.equal(tree.entries(1), (models[i]?.size ?? 0) - 1);
        }
      }),
      { numRuns: 150 },
    );
  });
});
