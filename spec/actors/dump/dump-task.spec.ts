import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { writeChunk } from "../../../actors/dump/dump-task.js";
import type { DumpResult } from "../../../actors/dump/dump-task.js";
import { temporaryFolder } from "../../support/temporary.js";

const PAGE = 4096;
const PAGES = 64;

describe("writeChunk()", () => {
  const folder = temporaryFolder();

  function write(path: string, flags: string, start: number, length: number): DumpResult {
    const buffer = new SharedArrayBuffer(PAGES * PAGE);
    const bytes = new Uint8Array(buffer);
    bytes.fill(0xa5, 3 * PAGE, 4 * PAGE);
    bytes[40 * PAGE] = 0x5a;
    const fd = openSync(path, flags);
    try {
      return writeChunk({ fd, buffer, start, length, position: 2 * PAGE });
    } finally {
      closeSync(fd);
    }
  }

  it("writes the pages that hold anything where they belong, and leaves the others as holes", () => {
    const path = folder.path("whole");
    assert.deepEqual(write(path, "w", 0, PAGES * PAGE), { kind: "written", bytes: 2 * PAGE });
    const file = readFileSync(path);
    assert.equal(file.length, (2 + 41) * PAGE);
    assert(file.subarray(5 * PAGE, 6 * PAGE).every((byte) => byte === 0xa5));
    assert.equal(file[42 * PAGE], 0x5a);
    assert.equal(
      file.reduce((count, byte) => count + (byte === 0 ? 0 : 1), 0),
      PAGE + 1,
    );
    // st_blocks counts 512 bytes; a hole has none.
    assert(statSync(path).blocks * 512 < 10 * PAGE);
  });

  it("starts and ends where it is told", () => {
    const path = folder.path("part");
    assert.deepEqual(write(path, "w", 3 * PAGE, PAGE), { kind: "written", bytes: PAGE });
    assert.equal(statSync(path).size, 3 * PAGE);
  });

  it("gives the system's error by its name", () => {
    folder.file("read-only", "");
    const result = write(folder.path("read-only"), "r", 0, PAGES * PAGE);
    assert(result.kind === "failed");
    assert.equal(result.errno, "EBADF");
  });

  it("says when the disk is full", () => {
    const result = write("/dev/full", "w", 0, PAGES * PAGE);
    assert(result.kind === "failed");
    assert.equal(result.errno, "ENOSPC");
  });
});
