import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { temporaryFolder } from "../support/temporary.js";
import { readReplay, writeReplay } from "./replay.js";

describe("a finding's file", () => {
  const folder = temporaryFolder();
  const home = process.cwd();

  afterEach(() => {
    process.chdir(home);
  });

  it("holds the entrance and all that its input drew", () => {
    process.chdir(folder.path("."));
    const file = writeReplay("blkif", [1, 0, 4_294_967_295]);
    assert.deepEqual(readReplay(file), { entrance: "blkif", choices: [1, 0, 4_294_967_295] });
  });

  it("is refused when it is anything else", () => {
    const file = folder.path("other.json");
    for (const text of ["", "[]", '{"entrance":"blkif"}', '{"entrance":"blkif","choices":[-1]}']) {
      writeFileSync(file, text);
      assert.throws(() => readReplay(file));
    }
    assert.throws(() => readReplay(folder.path("none.json")), /ENOENT/);
  });
});
