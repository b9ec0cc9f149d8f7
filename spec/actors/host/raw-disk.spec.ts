import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readFileSync, statSync } from "node:fs";
import { allocate } from "../../../actors/host/host-memory.js";
import { ERRNO, SYS } from "../../../actors/host/libc.js";
import type { Libc } from "../../../actors/host/libc.js";
import { RawDisk } from "../../../actors/host/raw-disk.js";
import type { RawDiskOptions } from "../../../actors/host/raw-disk.js";
import { BlockOp } from "../../../devices/block-backend.js";
import type { BlockRequest } from "../../../devices/block-backend.js";
import { gpa } from "../../../shared/brand.js";
import { MemoryRegion } from "../../../shared/memory.js";
import { hostFixture } from "../../support/host-fixture.js";
import { temporaryFolder } from "../../support/temporary.js";

const SIZE = 64 * 1024;
const EIO = 5;
const EBADF = 9;

describe("RawDisk", () => {
  const folder = temporaryFolder();
  const host = hostFixture();
  const guest = allocate(host.libc, 65_536);
  const ram = new MemoryRegion(gpa(0), 65_536, guest.buffer);
  const opened: number[] = [];
  let images = 0;

  afterEach(() => {
    for (const fd of opened.splice(0)) closeSync(fd);
  });

  function made(
    flags = "r+",
    options: Partial<RawDiskOptions> = {},
    libc: Libc = host.libc,
  ): { readonly disk: RawDisk; readonly path: string; readonly fd: number } {
    const path = folder.file(
      `disk${images++}`,
      Uint8Array.from({ length: SIZE }, (_, i) => Math.floor(i / 512)),
    );
    const fd = openSync(path, flags);
    opened.push(fd);
    const disk = new RawDisk(
      { libc, scratch: host.scratch, addressOf: (buffer) => (buffer === guest.buffer ? guest.hva : 0) },
      { fd, bytes: SIZE, isBlockDevice: false, inMemory: false, direct: false },
      { readOnly: false, discards: true, unsafe: false, ...options },
    );
    return { disk, path, fd };
  }

  /** Carries a request out on pieces `[offset, length]` of guest memory; returns what it completes with. */
  function carryOut(
    disk: RawDisk,
    op: BlockRequest["op"],
    offset: number,
    pieces: readonly (readonly [number, number])[],
  ): number {
    let result = NaN;
    disk.submit({
      op,
      offset,
      length: pieces.reduce((sum, [, length]) => sum + length, 0),
      segmentCount: pieces.length,
      regions: pieces.map(() => ram),
      offsets: pieces.map(([at]) => at),
      lengths: pieces.map(([, length]) => length),
      complete: (status: number) => {
        // Without the sign of a zero.
        result = status + 0;
      },
    } as unknown as BlockRequest);
    return result;
  }

  it("says how many sectors there are", () => {
    assert.equal(made().disk.sectors, 128);
  });

  it("reads into pieces of guest memory, in order", () => {
    const { disk } = made();
    assert.equal(
      carryOut(disk, BlockOp.read, 512 * 3, [
        [0, 512],
        [8192, 1024],
      ]),
      0,
    );
    assert.deepEqual([ram.bytes[0], ram.bytes[511], ram.bytes[8192], ram.bytes[8192 + 512]], [3, 3, 4, 5]);
  });

  it("writes pieces of guest memory, in order", () => {
    const { disk, path } = made();
    ram.bytes.fill(0xaa, 0, 512).fill(0xbb, 4096, 4096 + 512);
    assert.equal(
      carryOut(disk, BlockOp.write, 1024, [
        [4096, 512],
        [0, 512],
      ]),
      0,
    );
    const bytes = readFileSync(path);
    assert.deepEqual([bytes[1023], bytes[1024], bytes[1535], bytes[1536], bytes[2048]], [1, 0xbb, 0xbb, 0xaa, 4]);
  });

  it("gives an error for an image that was truncated under it (K17)", () => {
    const { disk, fd } = made();
    ftruncateSync(fd, 1024);
    assert.equal(carryOut(disk, BlockOp.read, 0, [[0, 4096]]), EIO);
    assert.equal(carryOut(disk, BlockOp.read, 8192, [[0, 512]]), EIO);
  });

  it("gives the host's error (K17)", () => {
    assert.equal(carryOut(made("r").disk, BlockOp.write, 0, [[0, 512]]), EBADF);
  });

  it("goes on with another file, and fails without one", () => {
    const { disk } = made();
    const { fd } = made();
    ftruncateSync(fd, 4096);
    disk.replace({ fd, bytes: 4096, isBlockDevice: false, inMemory: false, direct: false });
    assert.equal(disk.sectors, 8);
    assert.equal(carryOut(disk, BlockOp.read, 3584, [[0, 512]]), 0);
    assert.equal(ram.bytes[0], 7);
    disk.replace({ fd: -1, bytes: 0, isBlockDevice: false, inMemory: false, direct: false });
    assert.deepEqual([disk.sectors, carryOut(disk, BlockOp.read, 0, [[0, 512]])], [0, EBADF]);
  });

  it("flushes, and ignores it with cache=unsafe", () => {
    assert.equal(carryOut(made().disk, BlockOp.flush, 0, []), 0);
    const { disk, fd } = made("r+", { unsafe: true });
    closeSync(fd);
    opened.pop();
    assert.equal(carryOut(disk, BlockOp.flush, 0, []), 0);
  });

  /** As {@link carryOut}, for an operation on a range alone. */
  function carryOutRange(disk: RawDisk, op: BlockRequest["op"], offset: number, length: number): number {
    let result = NaN;
    const complete = (status: number): void => {
      result = status + 0;
    };
    disk.submit({ op, offset, length, segmentCount: 0, complete } as unknown as BlockRequest);
    return result;
  }

  it("writes zeros, and keeps the space", () => {
    const { disk, path } = made();
    const before = statSync(path).blocks;
    assert.equal(carryOutRange(disk, BlockOp.writeZeroes, 512, 4096), 0);
    const bytes = readFileSync(path);
    assert.deepEqual([bytes[4608], bytes[SIZE - 1]], [9, 127]);
    assert(bytes.subarray(512, 4608).every((byte) => byte === 0));
    assert.equal(statSync(path).blocks, before);
  });

  it("writes zeros itself where the host's file system cannot make them", () => {
    const fast: typeof host.libc.fast = (nr, ...rest) =>
      nr === SYS.fallocate ? -ERRNO.EOPNOTSUPP : host.libc.fast(nr, ...rest);
    const { disk, path } = made("r+", {}, { ...host.libc, fast });
    assert.equal(carryOutRange(disk, BlockOp.writeZeroes, 1024, 20 * 512), 0);
    const bytes = readFileSync(path);
    assert.deepEqual([bytes[1023], bytes[1024 + 20 * 512]], [1, 22]);
    assert(bytes.subarray(1024, 1024 + 20 * 512).every((byte) => byte === 0));
    assert.equal(carryOutRange(disk, BlockOp.discard, 0, 512), ERRNO.EOPNOTSUPP);
  });

  it("gives discarded space back to the host, and reads it as zeros", () => {
    const { disk, path } = made();
    const before = statSync(path).blocks;
    assert.equal(carryOutRange(disk, BlockOp.discard, 4096, 16 * 4096 - 4096), 0);
    const bytes = readFileSync(path);
    assert.deepEqual([bytes.length, bytes[4095], bytes[4096], bytes[SIZE - 1]], [SIZE, 7, 0, 0]);
    assert(statSync(path).blocks <= before);
  });
});
