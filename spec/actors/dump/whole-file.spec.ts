import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { writeWholeFile } from "../../../actors/dump/whole-file.js";
import { temporaryFolder } from "../../support/temporary.js";

describe("writeWholeFile()", () => {
  const folder = temporaryFolder();

  it("makes a file that only its owner may read", async () => {
    const path = folder.path("new");
    await writeWholeFile(path, async (file) => {
      assert(!readdirSync(dirname(path)).includes("new"));
      await file.writeFile("content");
    });
    assert.equal(readFileSync(path, "utf8"), "content");
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it("takes the place of a file", async () => {
    const path = folder.file("old", "before");
    await writeWholeFile(path, (file) => file.writeFile("after"));
    assert.equal(readFileSync(path, "utf8"), "after");
  });

  it("leaves nothing, and what there was as it was, when the writing fails", async () => {
    const path = folder.file("kept", "before");
    const before = readdirSync(dirname(path));
    const failing = writeWholeFile(path, async (file) => {
      await file.writeFile("half");
      throw new Error("disk on fire");
    });
    await assert.rejects(failing, /disk on fire/);
    assert.equal(readFileSync(path, "utf8"), "before");
    assert.deepEqual(readdirSync(dirname(path)), before);
  });

  it("refuses folders and devices, and folders that are not there", async () => {
    const path = folder.path("folder");
    mkdirSync(path);
    const write = (to: string): Promise<void> => writeWholeFile(to, () => Promise.resolve());
    await assert.rejects(write(path), /it is a folder/);
    await assert.rejects(write("/dev/null"), /not a regular file/);
    await assert.rejects(write(folder.path("nowhere/file")), { code: "ENOENT" });
    await assert.rejects(write(folder.file("file", "") + "/below"), { code: "ENOTDIR" });
  });
});
