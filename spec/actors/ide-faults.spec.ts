/** An IDE disk whose file fails the host: the guest sees the error, and the drive goes on. */
import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { allocate } from "../../actors/host/host-memory.js";
import { RawDisk } from "../../actors/host/raw-disk.js";
import { disk, IdeRig, RAM_BYTES } from "../devices/ide/ide-rig.js";
import { hostFixture } from "../support/host-fixture.js";
import { temporaryFolder } from "../support/temporary.js";

const SECTORS = 400;
const BYTES = SECTORS * 512;

describe("An IDE disk of the host's", () => {
  const folder = temporaryFolder();
  const host = hostFixture();
  const arena = allocate(host.libc, 256 * 1024);
  const ram = allocate(host.libc, RAM_BYTES);
  const opened: number[] = [];
  let images = 0;

  afterEach(() => {
    for (const fd of opened.splice(0)) closeSync(fd);
  });

  function rigOn(path: string): { readonly rig: IdeRig; readonly fd: number } {
    const fd = openSync(path, "r+");
    opened.push(fd);
    const storage = new RawDisk(
      { libc: host.libc, scratch: host.scratch, addressOf: (buffer) => (buffer === ram.buffer ? ram.hva : arena.hva) },
      { fd, bytes: BYTES, isBlockDevice: false, inMemory: false, direct: false },
      { readOnly: false, discards: true, unsafe: false },
    );
    const real = { arena: arena.buffer, ram: ram.buffer, storage };
    return { fd, rig: new IdeRig({ primary: [disk({ sectors: SECTORS }), undefined], real }) };
  }

  function image(): string {
    return folder.file(
      `ide${images++}`,
      Uint8Array.from({ length: BYTES }, (_, i) => Math.floor(i / 512)),
    );
  }

  function ofSectors(first: number, count: number): Uint8Array {
    return Uint8Array.from({ length: count * 512 }, (_, i) => first + Math.floor(i / 512));
  }

  it("is read and written by PIO and DMA", () => {
    const path = image();
    const { rig } = rigOn(path);
    rig.lba28(0x20, 3, 5);
    assert.deepEqual(rig.data(5 * 512), ofSectors(3, 5));
    rig.table([0x10000, 1024, 0], [0x20002, 512, 0x8000]);
    rig.lba28(0xc8, 7, 3);
    rig.startMaster();
    assert.deepEqual([rig.ram(0x10000, 1024), rig.ram(0x20002, 512)], [ofSectors(7, 2), ofSectors(9, 1)]);
    rig.region.bytes.fill(0xee, 0x10000, 0x10400);
    rig.lba28(0xca, 11, 2);
    rig.table([0x10000, 1024, 0x8000]);
    rig.startMaster(0x01);
    assert.deepEqual([rig.masterStatus, rig.in(0x1f7)], [0x04, 0x50]);
    assert.deepEqual(new Uint8Array(readFileSync(path).subarray(11 * 512, 13 * 512)), new Uint8Array(1024).fill(0xee));
  });

  it("reports the first sector that is gone when its file shrinks, and gives the ones before", () => {
    const { rig, fd } = rigOn(image());
    ftruncateSync(fd, 102 * 512 + 100);
    rig.lba28(0x20, 100, 8);
    assert.deepEqual(rig.data(1024), ofSectors(100, 2));
    assert.deepEqual([rig.in(0x1f7), rig.error, rig.in(0x1f3)], [0x51, 0x40, 102]);
    rig.table([0x10000, 4096, 0x8000]);
    rig.lba28(0xc8, 98, 8);
    rig.startMaster();
    assert.deepEqual([rig.in(0x1f7), rig.error, rig.in(0x1f3)], [0x51, 0x40, 102]);
    rig.stopMaster();
    rig.lba28(0x20, 0, 1);
    assert.deepEqual(rig.data(512), ofSectors(0, 1));
  });

  it("reports a host that is full, and goes on", () => {
    // Every write to it fails with ENOSPC; reads give zeros.
    const { rig } = rigOn("/dev/full");
    rig.lba28(0x30, 5, 2);
    rig.give(new Uint8Array(1024));
    assert.deepEqual([rig.in(0x1f7), rig.error, rig.in(0x1f3)], [0x51, 0x40, 5]);
    rig.table([0x10000, 1024, 0x8000]);
    rig.lba28(0xca, 5, 2);
    rig.startMaster(0x01);
    assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x40]);
    rig.stopMaster();
    rig.lba28(0x20, 5, 1);
    assert.deepEqual(rig.data(512), new Uint8Array(512));
  });
});
