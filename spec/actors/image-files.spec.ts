import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { ftruncateSync, openSync, closeSync, symlinkSync, writeFileSync } from "node:fs";
import { HostImages } from "../../actors/image-files.js";
import { VmmError } from "../../shared/errors.js";
import { openDescriptors } from "../support/leftovers.js";
import { temporaryFolder } from "../support/temporary.js";

describe("HostImages", () => {
  const folder = temporaryFolder();

  it("reads a regular file at any offset, and says how much there was", () => {
    using files = new HostImages();
    const image = files.open(folder.file("kernel", "0123456789"));
    const target = new Uint8Array(4);
    assert.deepEqual([image.size, image.read(3, target), Buffer.from(target).toString()], [10, 4, "3456"]);
    assert.equal(image.read(8, target), 2);
    assert.equal(image.read(100, target), 0);
  });

  it("follows a link", () => {
    using files = new HostImages();
    symlinkSync(folder.file("target", "abc"), folder.path("link"));
    assert.equal(files.open(folder.path("link")).size, 3);
  });

  it("opens a sparse file of a terabyte without reading it (L7)", () => {
    using files = new HostImages();
    const fd = openSync(folder.path("sparse"), "w");
    ftruncateSync(fd, 2 ** 40);
    closeSync(fd);
    const image = files.open(folder.path("sparse"));
    assert.deepEqual([image.size, image.read(2 ** 39, new Uint8Array(16))], [2 ** 40, 16]);
  });

  it("survives a file that shrinks while it is read (L7)", () => {
    using files = new HostImages();
    const path = folder.file("shrinking", "0123456789");
    const image = files.open(path);
    writeFileSync(path, "01");
    assert.equal(image.read(5, new Uint8Array(4)), 0);
  });

  /** [what, path, what the one line says] */
  const REFUSED: readonly (readonly [string, () => string, RegExp])[] = [
    ["a missing file", () => folder.path("none"), /none: there is no such file$/],
    ["a directory (L7)", () => folder.path("."), /: it is not a regular file$/],
    [
      "a FIFO, without waiting for its writer (L7)",
      () => {
        assert.equal(spawnSync("mkfifo", [folder.path("fifo")]).status, 0);
        return folder.path("fifo");
      },
      /fifo: it is not a regular file$/,
    ],
    ["/dev/zero (L7)", () => "/dev/zero", /^Cannot load \/dev\/zero: it is not a regular file$/],
    ["a path below a file", () => `${folder.file("plain", "")}/x`, /^Cannot load .*\/plain\/x: /],
    ["a name too long for the system", () => folder.path("x".repeat(300)), /^Cannot load /],
  ];

  for (const [what, path, pattern] of REFUSED) {
    it(`refuses ${what}`, () => {
      using files = new HostImages();
      const given = path();
      assert.throws(
        () => files.open(given),
        (error: unknown) =>
          error instanceof VmmError &&
          error.code === "CONFIG" &&
          pattern.test(error.message) &&
          !error.message.includes("\n"),
      );
    });
  }

  it("closes all that it opened, refused or not", () => {
    const before = openDescriptors();
    {
      using files = new HostImages();
      files.open(folder.file("one", "1"));
      files.open(folder.file("two", "2"));
      assert.throws(() => files.open(folder.path(".")));
      assert.equal(openDescriptors().length, before.length + 3);
    }
    assert.deepEqual(openDescriptors(), before);
  });
});
