/** The numbers are those of the ELF specification's tables for 64-bit files. */
import assert from "node:assert/strict";
import { coreLayout } from "../../../actors/dump/elf-core.js";

const NOTES = Uint8Array.from({ length: 20 }, (_, i) => i + 1);

describe("coreLayout()", () => {
  const { head, offsets, size } = coreLayout(NOTES, [
    { gpa: 0, size: 0x2000 },
    { gpa: 0x1_0000_0000, size: 0x1000 },
  ]);
  const view = new DataView(head.buffer);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));

  it("starts with the header of a core file for x86-64", () => {
    assert.deepEqual([...head.subarray(0, 8)], [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
    const [type, machine] = [view.getUint16(16, true), view.getUint16(18, true)];
    assert.deepEqual([type, machine, view.getUint32(20, true)], [4, 62, 1]);
    const [headerSize, entrySize, entries] = [52, 54, 56].map((at) => view.getUint16(at, true));
    assert.deepEqual([u64(32), headerSize, entrySize, entries], [64, 64, 56, 3]);
  });

  it("has the notes after the program headers", () => {
    const notesAt = 64 + 3 * 56;
    assert.deepEqual([view.getUint32(64, true), u64(64 + 8), u64(64 + 32), u64(64 + 40)], [4, notesAt, 20, 0]);
    assert.deepEqual(head.subarray(notesAt), NOTES);
  });

  it("places each run at a page's boundary, and tells its address as physical and virtual", () => {
    assert.deepEqual(offsets, [0x1000, 0x3000]);
    assert.equal(size, 0x4000);
    const loads = [64 + 56, 64 + 2 * 56].map((at) => [
      view.getUint32(at, true),
      view.getUint32(at + 4, true),
      ...[8, 16, 24, 32, 40, 48].map((field) => u64(at + field)),
    ]);
    assert.deepEqual(loads, [
      [1, 7, 0x1000, 0, 0, 0x2000, 0x2000, 0x1000],
      [1, 7, 0x3000, 0x1_0000_0000, 0x1_0000_0000, 0x1000, 0x1000, 0x1000],
    ]);
  });
});
