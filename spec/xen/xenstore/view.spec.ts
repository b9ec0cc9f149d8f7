import assert from "node:assert/strict";
import { formatPermissions } from "../../../xen/xenstore/permissions.js";
import type { Permissions } from "../../../xen/xenstore/permissions.js";
import { Tree } from "../../../xen/xenstore/tree.js";
import { LiveView } from "../../../xen/xenstore/view.js";

const dom0: Permissions = [{ domid: 0, access: 0 }];
const dom1: Permissions = [{ domid: 1, access: 0 }];
const none = new Uint8Array(0);

/** path, whether exact, and the owners by whose permissions it is visible. */
function told(view: LiveView): [string, boolean, string[]][] {
  return view.changes.map(({ path, exact, visibleBy }) => [path, exact, visibleBy.flatMap(formatPermissions)]);
}

describe("LiveView", () => {
  it("tells of one change for a node that is created, not for those above it", () => {
    const view = new LiveView(new Tree());
    view.create("/a/b", none, dom1);
    assert.deepEqual(told(view), [["/a/b", false, ["n1", "n1"]]]);
    assert.equal(view.look("/a/b")?.value.length, 0);
    assert.equal(view.closest("/a/x").path, "/a");
    assert.equal(view.entries(1), 2);
  });

  it("tells those who could see a node before its permissions changed", () => {
    const tree = new Tree();
    tree.create("/a", none, dom1);
    const view = new LiveView(tree);
    view.setPermissions("/a", dom0);
    view.setValue("/a", none);
    assert.deepEqual(told(view), [
      ["/a", false, ["n1", "n0", "n0"]],
      ["/a", false, ["n0", "n0"]],
    ]);
  });

  it("tells of each node that goes, as it was", () => {
    const tree = new Tree();
    tree.create("/a", none, dom0);
    tree.create("/a/b", none, dom1);
    const view = new LiveView(tree);
    view.remove("/a");
    assert.deepEqual(told(view), [
      ["/a", false, ["n0", "n0"]],
      ["/a/b", true, ["n1", "n0"]],
    ]);
    assert.equal(view.look("/a"), undefined);
  });
});
