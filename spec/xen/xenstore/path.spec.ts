import assert from "node:assert/strict";
import fc from "fast-check";
import { domId } from "../../../shared/brand.js";
import { childPath, isRelative, isWithin, parentPath, pathSteps, resolvePath } from "../../../xen/xenstore/path.js";

const dom1 = domId(1);

describe("resolvePath()", () => {
  it("keeps absolute and special paths, and puts relative ones under the domain's", () => {
    assert.equal(resolvePath("/", dom1), "/");
    assert.equal(resolvePath("/a-B_9@/c", dom1), "/a-B_9@/c");
    assert.equal(resolvePath("@releaseDomain", dom1), "@releaseDomain");
    assert.equal(resolvePath("a/b", dom1), "/local/domain/1/a/b");
  });

  it("X7: refuses what xenstore.txt forbids", () => {
    for (const text of ["", "//", "/a//b", "/a/", "a/", "/a b", "/a\0", "/a.b", "/a+b", "/a:b", "/\u0101", "\n"]) {
      assert.equal(resolvePath(text, dom1), undefined, JSON.stringify(text));
    }
  });

  it("X7: keeps to 3072 bytes absolute and 2048 relative", () => {
    assert.notEqual(resolvePath(`/${"x".repeat(3071)}`, dom1), undefined);
    assert.equal(resolvePath(`/${"x".repeat(3072)}`, dom1), undefined);
    assert.notEqual(resolvePath("x".repeat(2048), dom1), undefined);
    assert.equal(resolvePath("x".repeat(2049), dom1), undefined);
  });
});

describe("paths", () => {
  it("know their parents, steps and what lies within them", () => {
    assert.equal(parentPath("/a/b"), "/a");
    assert.equal(parentPath("/a"), "/");
    assert.equal(parentPath("/"), "/");
    assert.equal(parentPath("@releaseDomain/1"), "/");
    assert.deepEqual(pathSteps("/"), [""]);
    assert.deepEqual(pathSteps("/a/b"), ["", "a", "b"]);
    assert.deepEqual(pathSteps("@x"), ["@x"]);
    assert.equal(isRelative("a"), true);
    assert.equal(isRelative("/a"), false);
    assert.equal(isRelative("@a"), false);
    assert.equal(isWithin("/a/b", "/a"), true);
    assert.equal(isWithin("/a", "/a"), true);
    assert.equal(isWithin("/ab", "/a"), false);
    assert.equal(isWithin("/a", "/a/b"), false);
    assert.equal(isWithin("/a", "/"), true);
    assert.equal(isWithin("@releaseDomain", "/"), false);
    assert.equal(isWithin("@releaseDomain", "@releaseDomain"), true);
  });

  it("a child's parent is the node that it was made under", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
    fc.assert(
      fc.property(fc.array(name, { maxLength: 5 }), name, (names, leaf) => {
        const parent = `/${names.join("/")}`;
        const child = childPath(parent, leaf);
        assert.equal(parentPath(child), parent);
        assert(isWithin(child, parent));
        assert.equal(resolvePath(child, dom1), child);
        assert.deepEqual(pathSteps(child), [...pathSteps(parent), leaf]);
      }),
    );
  });
});
