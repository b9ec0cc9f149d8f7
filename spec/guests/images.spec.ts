/**
 * What `scripts/build-guests.mjs` leaves in guests/build, read with nothing but the formats in hand.
 *
 * [ELF] System V ABI, chapter 4 and 5; [PVH] xen.git docs/misc/pvh.pandoc; [MB] Multiboot Specification 0.6.96, 3.1;
 * [SDM] volume 3, 10.1.4 (first instruction at 16 bytes below 4 GiB)
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { guestImage, PROJECT } from "../support/project.js";
import { temporaryFolder } from "../support/temporary.js";
import { cannotRun } from "../support/cannot-run.js";

const SCRIPT = join(PROJECT, "scripts", "build-guests.mjs");
const PVH_GUESTS = ["hello.elf", "triple-fault.elf", "spin.elf", "bench.elf", "selftest.elf"];
const MULTIBOOT_GUESTS = ["hello.multiboot.elf", "selftest.multiboot.elf", "compat.multiboot.elf"];
const FIRMWARE_BYTES = 0x10000;
const RESET_VECTOR = 0xfff0;

function build(environment: NodeJS.ProcessEnv): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], { env: environment, encoding: "utf8" });
  return { code: status, output: stdout + stderr };
}

function image(name: string): DataView {
  const bytes = readFileSync(guestImage(name));
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

/** Program headers of a 64-bit ELF file. */
function segments(elf: DataView): Segment[] {
  const at = Number(elf.getBigUint64(32, true));
  const size = elf.getUint16(54, true);
  return Array.from({ length: elf.getUint16(56, true) }, (_, i) => ({
    type: elf.getUint32(at + i * size, true),
    offset: Number(elf.getBigUint64(at + i * size + 8, true)),
    address: Number(elf.getBigUint64(at + i * size + 24, true)),
    fileBytes: Number(elf.getBigUint64(at + i * size + 32, true)),
  }));
}

/** Address in the one note of Xen's, type 18 (XEN_ELFNOTE_PHYS32_ENTRY). */
function pvhEntry(elf: DataView): number {
  const note = segments(elf).find(({ type }) => type === 4);
  assert.ok(note !== undefined);
  const word = (index: number): number => elf.getUint32(note.offset + index * 4, true);
  assert.deepEqual([word(0), word(1), word(2), word(3)], [4, 8, 18, 0x006e6558]);
  return Number(elf.getBigUint64(note.offset + 16, true));
}

describe("guests/build", function () {
  this.timeout(60_000);
  const folder = temporaryFolder();

  before(function () {
    if (PVH_GUESTS.every((name) => existsSync(guestImage(name)))) return;
    cannotRun(this, "the guests are not built (node scripts/build-guests.mjs)");
  });

  for (const name of PVH_GUESTS) {
    it(`has ${name} as a 64-bit ELF file with a PVH entry inside its code`, () => {
      const elf = image(name);
      assert.deepEqual([elf.getUint32(0), elf.getUint8(4), elf.getUint16(18, true)], [0x7f454c46, 2, 62]);
      const entry = pvhEntry(elf);
      const code = segments(elf).find(({ type, address, fileBytes }) => type === 1 && entry >= address && entry < address + fileBytes);
      assert.ok(code !== undefined, `entry 0x${entry.toString(16)}`);
    });
  }

  for (const name of MULTIBOOT_GUESTS) {
    it(`has ${name} as a 32-bit ELF file with a multiboot header in its first 8 KiB`, () => {
      const elf = image(name);
      assert.deepEqual([elf.getUint32(0), elf.getUint8(4), elf.getUint16(18, true)], [0x7f454c46, 1, 3]);
      const at = Array.from({ length: 2048 }, (_, i) => i * 4).find((offset) => elf.getUint32(offset, true) === 0x1badb002);
      assert.ok(at !== undefined);
      const sum = elf.getUint32(at, true) + elf.getUint32(at + 4, true) + elf.getUint32(at + 8, true);
      assert.equal(sum >>> 0, 0);
    });
  }

  it("has a firmware of 64 KiB with its parameters in front and a jump at the reset vector", () => {
    const firmware = image("firmware.bin");
    assert.equal(firmware.byteLength, FIRMWARE_BYTES);
    assert.equal(Buffer.from(firmware.buffer, firmware.byteOffset, 8).toString(), "XLBENCH1");
    assert.deepEqual(
      [firmware.getUint32(8, true), firmware.getUint16(12, true), firmware.getUint8(14), firmware.getUint8(15)],
      [200_000, 0x80, 0, 0],
    );
    // jmp rel16
    assert.equal(firmware.getUint8(RESET_VECTOR), 0xe9);
  });

  it("has the start of a bootable disk: the boot signature, room for a command line, and a kernel below the data", () => {
    const disk = image("ide-boot.img");
    assert.equal(disk.getUint16(510, true), 0xaa55);
    assert.equal(Buffer.from(disk.buffer, disk.byteOffset + 3 * 512, 7).toString(), "serial\0");
    // cli, of pvh_entry
    assert.equal(disk.getUint8(4 * 512), 0xfa);
    assert.ok(disk.byteLength < 2047 * 512);
  });

  it("is not built again when nothing has changed", () => {
    assert.deepEqual(build(process.env), { code: 0, output: "" });
  });

  it("needs a compiler, and says how to get one", () => {
    const nothing = folder.path("no-programs");
    mkdirSync(nothing);
    const { code, output } = build({ PATH: nothing });
    assert.equal(code, 1);
    assert.match(output, /^Cannot build the guests: gcc is not installed; run: apt-get install gcc .*\n$/);
  });
});
