/** The rules themselves, apart from the wire; `requests.spec.ts` has the tables. */
import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import {
  changePermissions,
  makeDirectory,
  readDirectory,
  readPermissions,
  readValue,
  removeNode,
  writeValue,
} from "../../../xen/xenstore/operations.js";
import type { Session } from "../../../xen/xenstore/operations.js";
import type { Permissions } from "../../../xen/xenstore/permissions.js";
import { Tree } from "../../../xen/xenstore/tree.js";
import { LiveView } from "../../../xen/xenstore/view.js";
import { Failure } from "../../../xen/xenstore/wire.js";

function errno(outcome: unknown): string {
  return outcome instanceof Failure ? outcome.errno : "OK";
}

describe("operations", () => {
  function sessions(): readonly [dom0: Session, dom1: Session] {
    const view = new LiveView(new Tree());
    return [
      { domid: domId(0), view },
      { domid: domId(1), view },
    ];
  }
  const value = Uint8Array.of(1);
  const readable: Permissions = [{ domid: 0, access: 1 }];

  it("tell that a node is missing only to those who may do the same above it", () => {
    const [dom0, dom1] = sessions();
    writeValue(dom0, "/open", value);
    changePermissions(dom0, "/open", readable);
    assert.equal(errno(readValue(dom1, "/open/none")), "ENOENT");
    assert.equal(errno(readValue(dom1, "/open/none/deeper")), "ENOENT");
    assert.equal(errno(writeValue(dom1, "/open/none", value)), "EACCES");
    assert.equal(errno(removeNode(dom1, "/open/none")), "EACCES");
    assert.equal(errno(readValue(dom1, "/none")), "EACCES");
    assert.equal(errno(readValue(dom0, "/none")), "ENOENT");
  });

  it("need a right for each thing", () => {
    const [dom0, dom1] = sessions();
    makeDirectory(dom0, "/n");
    const rights = [0, 1, 2, 3].map((access) => {
      changePermissions(dom0, "/n", [{ domid: 0, access }]);
      return [
        readValue(dom1, "/n"),
        readDirectory(dom1, "/n"),
        readPermissions(dom1, "/n"),
        writeValue(dom1, "/n", value),
        makeDirectory(dom1, "/n"),
        changePermissions(dom1, "/n", readable),
      ].map(errno);
    });
    const [no, ok] = ["EACCES", "OK"];
    assert.deepEqual(rights, [
      [no, no, no, no, no, no],
      [ok, ok, ok, no, no, no],
      [no, no, no, ok, ok, no],
      [ok, ok, ok, ok, ok, no],
    ]);
  });

  it("never remove the root", () => {
    const [dom0, dom1] = sessions();
    assert.equal(errno(removeNode(dom0, "/")), "EINVAL");
    assert.equal(errno(removeNode(dom1, "/")), "EACCES");
  });
});
