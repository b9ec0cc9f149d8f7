import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { adviseHugePages, allocate, mapAnonymous, mapFile } from "../../../actors/host/host-memory.js";
import { openLibc } from "../../../actors/host/libc.js";
import { Scratch } from "../../../actors/host/kvm.js";
import { VmmError } from "../../../shared/errors.js";
import { temporaryFolder } from "../../support/temporary.js";

const PAGE = 4096;

describe("Host memory", () => {
  const libc = openLibc();
  const folder = temporaryFolder();

  it("is zeroed, page-aligned and as large as asked, in units of 64 KiB", () => {
    const memory = allocate(libc, 100_000);
    assert.equal(memory.buffer.byteLength, 131_072);
    assert.equal(memory.hva % PAGE, 0);
    assert.equal(
      new Uint8Array(memory.buffer).every((byte) => byte === 0),
      true,
    );
  });

  it("costs nothing until it is touched: 4 GiB can be had", () => {
    const memory = allocate(libc, 2 ** 32);
    adviseHugePages(libc, memory, 0, 2 ** 32);
    assert.equal(memory.buffer.byteLength, 2 ** 32);
    assert.throws(() => allocate(libc, 2 ** 32 + 1), { name: "RangeError", message: /4 GiB is the most/ });
  });

  it("shows a file that is mapped into it, and takes it away again", () => {
    const memory = allocate(libc, 65_536);
    const path = folder.file("pages", new Uint8Array(2 * PAGE).fill(0x11));
    const fd = openSync(path, "r+");
    const bytes = new Uint8Array(memory.buffer);
    bytes.fill(0x22, 0, 3 * PAGE);
    mapFile(libc, memory, { offset: PAGE, length: PAGE, fd, fileOffset: PAGE, what: "map it" });
    assert.deepEqual([bytes[PAGE - 1], bytes[PAGE], bytes[2 * PAGE]], [0x22, 0x11, 0x22]);
    bytes[PAGE] = 0x33;
    assert.equal(readFileSync(path)[PAGE], 0x33);
    mapAnonymous(libc, memory, PAGE, PAGE);
    assert.deepEqual([bytes[PAGE - 1], bytes[PAGE], bytes[2 * PAGE]], [0x22, 0, 0x22]);
    closeSync(fd);
  });

  it("says what it could not map", () => {
    const memory = allocate(libc, 65_536);
    assert.throws(
      () => {
        mapFile(libc, memory, { offset: 0, length: PAGE, fd: -1, fileOffset: 0, what: "map the run area" });
      },
      (error: unknown) =>
        error instanceof VmmError && /^Cannot map the run area: mmap failed with EBADF/.test(error.message),
    );
  });
});

describe("Scratch", () => {
  it("gives each taker a piece of its own, aligned, and ends", () => {
    const libc = openLibc();
    const scratch = new Scratch(allocate(libc, 65_536), 4096, 64);
    assert.deepEqual(
      [scratch.take(1), scratch.take(8), scratch.take(4, 4), scratch.take(16)],
      [4096, 4104, 4112, 4120],
    );
    assert.throws(() => scratch.take(32), { name: "RangeError", message: /none are left/ });
  });
});
