import assert from "node:assert/strict";
import { existsSync, fstatSync, openSync, rmSync } from "node:fs";
import { Holdings } from "../../../actors/host/holdings.js";
import { temporaryFolder } from "../../support/temporary.js";

describe("Holdings", () => {
  const folder = temporaryFolder();

  function isOpen(fd: number): boolean {
    try {
      fstatSync(fd);
      return true;
    } catch {
      return false;
    }
  }

  it("gives descriptors and paths back, once", () => {
    const holdings = new Holdings();
    const fd = holdings.keep(openSync("/dev/null", "r"));
    holdings.keepPath(folder.file("made", ""));
    holdings.keepPath(folder.path("gone"));
    holdings.release();
    assert.deepEqual([isOpen(fd), existsSync(folder.path("made"))], [false, false]);
    folder.file("made", "");
    holdings.release();
    assert.equal(existsSync(folder.path("made")), true);
    rmSync(folder.path("made"));
  });

  it("closes one before the others", () => {
    const holdings = new Holdings();
    const fds = [holdings.keep(openSync("/dev/null", "r")), holdings.keep(openSync("/dev/null", "r"))] as const;
    holdings.close(fds[0]);
    assert.deepEqual(fds.map(isOpen), [false, true]);
    holdings.release();
    assert.deepEqual(fds.map(isOpen), [false, false]);
  });
});
