import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import {
  Access,
  accessFor,
  formatPermissions,
  inheritPermissions,
  isRealDomain,
  parsePermissions,
  withoutDomain,
} from "../../../xen/xenstore/permissions.js";
import type { Permissions } from "../../../xen/xenstore/permissions.js";

function parsed(...texts: string[]): Permissions {
  const permissions = parsePermissions(texts);
  assert(permissions !== undefined);
  return permissions;
}

const everything = Access.read | Access.write | Access.owner;

describe("permissions", () => {
  it("are read and written as letter and domain", () => {
    assert.deepEqual(formatPermissions(parsed("n0", "r1", "w2", "b3")), ["n0", "r1", "w2", "b3"]);
    for (const bad of [[], ["n"], ["x0"], ["n-1"], ["n 1"], ["n1 "], ["n65536"], ["n123456"], ["n0", ""], ["N0"]]) {
      assert.equal(parsePermissions(bad), undefined, bad.join());
    }
  });

  it("give dom0 and the owner everything, the named what they name, and the rest the first letter", () => {
    const permissions = parsed("r5", "n1", "w2", "b3", "r2");
    assert.equal(accessFor(permissions, domId(0)), everything);
    assert.equal(accessFor(permissions, domId(5)), everything);
    assert.equal(accessFor(permissions, domId(1)), 0);
    assert.equal(accessFor(permissions, domId(2)), Access.write);
    assert.equal(accessFor(permissions, domId(3)), Access.read | Access.write);
    assert.equal(accessFor(permissions, domId(4)), Access.read);
  });

  it("pass to children, whose unprivileged creator owns them", () => {
    assert.deepEqual(formatPermissions(inheritPermissions(parsed("r0", "b1"), domId(1))), ["r1", "b1"]);
    assert.deepEqual(formatPermissions(inheritPermissions(parsed("r0", "b1"), domId(0))), ["r0", "b1"]);
  });

  it("forget a domain that is gone", () => {
    assert.deepEqual(formatPermissions(withoutDomain(parsed("n1", "r2", "b1"), domId(1))), ["n0", "r2"]);
    const untouched = parsed("n0", "r2");
    assert.equal(withoutDomain(untouched, domId(1)), untouched);
  });

  it("know that no domain has a reserved number", () => {
    assert.equal(isRealDomain(0x7fef), true);
    assert.equal(isRealDomain(0x7ff0), false);
    assert.equal(isRealDomain(65535), false);
  });
});
