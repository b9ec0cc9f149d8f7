import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { allocate } from "../../../actors/host/host-memory.js";
import { Iovecs } from "../../../actors/host/iovecs.js";
import { ERRNO, SYS } from "../../../actors/host/libc.js";
import type { Syscall } from "../../../actors/host/syscalls.js";
import { ReadyFile } from "../../../actors/host/ready-file.js";
import { gpa } from "../../../shared/brand.js";
import { MemoryRegion } from "../../../shared/memory.js";
import { hostFixture } from "../../support/host-fixture.js";
import { temporaryFolder } from "../../support/temporary.js";

const SIZE = 16 * 1024;
/** <linux/fs.h> */
const RWF_NOWAIT = 8;

describe("ReadyFile", () => {
  const folder = temporaryFolder();
  const host = hostFixture();
  const guest = allocate(host.libc, 65_536);
  const ram = new MemoryRegion(gpa(0), 65_536, guest.buffer);
  const iovecs = new Iovecs({ scratch: host.scratch, addressOf: () => guest.hva }, 8);
  const opened: number[] = [];

  afterEach(() => {
    for (const fd of opened.splice(0)) closeSync(fd);
  });

  function file(fast: Syscall = host.libc.fast, inMemory = false): ReadyFile {
    const path = folder.file(
      "disk",
      Uint8Array.from({ length: SIZE }, (_, i) => Math.floor(i / 512)),
    );
    // It is in the page cache, however it got there.
    readFileSync(path);
    const fd = openSync(path, "r");
    opened.push(fd);
    return new ReadyFile({ fast }, iovecs, { fd, bytes: SIZE, isBlockDevice: false, inMemory, direct: false });
  }

  /** A read into two pieces of 512 bytes. */
  function read(disk: ReadyFile, offset: number): boolean {
    disk.pieces.clear();
    disk.pieces.addPiece(ram, 0, 512);
    disk.pieces.addPiece(ram, 4096, 512);
    return disk.readAtOnce(offset, 1024);
  }

  /** Calls that answer `result`, and the flags that they were made with. */
  function answering(result: number): { readonly flags: number[]; readonly fast: Syscall } {
    const flags: number[] = [];
    // eslint-disable-next-line @typescript-eslint/max-params -- as Syscall
    const fast: Syscall = (nr, _fd, _iov, _count, _low, _high, flag = -1) => {
      assert.equal(nr, SYS.preadv2);
      flags.push(flag);
      return result;
    };
    return { flags, fast };
  }

  it("reads what is in memory, into pieces of guest memory", () => {
    ram.bytes.fill(0);
    for (const inMemory of [false, true]) {
      assert.equal(read(file(host.libc.fast, inMemory), 512 * 3), true);
      assert.deepEqual([ram.bytes[0], ram.bytes[511], ram.bytes[512], ram.bytes[4096]], [3, 3, 0, 4]);
    }
  });

  it("reads no part of what lies past the file's end", () => {
    assert.equal(read(file(), SIZE - 512), false);
    assert.equal(read(file(), SIZE), false);
  });

  it("asks not to wait, but of a file that is nowhere else than in memory", () => {
    const { flags, fast } = answering(1024);
    assert.equal(read(file(fast), 0), true);
    assert.equal(read(file(fast, true), 0), true);
    assert.deepEqual(flags, [RWF_NOWAIT, 0]);
  });

  for (const [what, result] of [
    ["would have to wait", -ERRNO.EAGAIN],
    ["stops where it would have to", 512],
    ["fails", -ERRNO.EIO],
  ] as const) {
    it(`asks again after a read that ${what}`, () => {
      const { flags, fast } = answering(result);
      const disk = file(fast);
      assert.deepEqual([read(disk, 0), read(disk, 0), flags.length], [false, false, 2]);
    });
  }

  it("asks no more where the host cannot tell", () => {
    for (const errno of [ERRNO.EOPNOTSUPP, ERRNO.ENOSYS]) {
      const { flags, fast } = answering(-errno);
      const disk = file(fast);
      assert.deepEqual([read(disk, 0), read(disk, 0), flags.length], [false, false, 1]);
    }
  });
});
