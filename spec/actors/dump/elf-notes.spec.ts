/** Offsets are those of struct elf_prstatus and of the note that `crash` looks for. */
import assert from "node:assert/strict";
import { registerNotes } from "../../../actors/dump/elf-notes.js";
import { GENERAL_REGISTERS, SEGMENT_REGISTERS } from "../../../actors/dump/registers.js";
import type { VcpuRegisters } from "../../../actors/dump/registers.js";

const PRSTATUS_AT = 12 + 8;
const PRSTATUS_END = PRSTATUS_AT + 336;

/** Each register has another value: 1000 + index, 2000 + index and so on. */
function registers(): VcpuRegisters {
  return {
    general: Object.fromEntries(
      GENERAL_REGISTERS.map((name, i) => [name, BigInt(1000 + i)]),
    ) as VcpuRegisters["general"],
    segments: Object.fromEntries(
      SEGMENT_REGISTERS.map((name, i) => [
        name,
        { selector: 2000 + i, base: 0xffff_8000_0000_0000n + BigInt(i), limit: 3000 + i, flags: 4000 + i },
      ]),
    ) as VcpuRegisters["segments"],
    gdt: { base: 5000n, limit: 5001 },
    idt: { base: 6000n, limit: 6001 },
    cr0: 7000n,
    cr2: 7002n,
    cr3: 7003n,
    cr4: 7004n,
    kernelGsBase: 8000n,
  };
}

describe("registerNotes()", () => {
  const notes = registerNotes([registers(), registers()]);
  const view = new DataView(notes.buffer);
  const words = (at: number, count: number): readonly number[] =>
    Array.from({ length: count }, (_, i) => view.getUint32(at + i * 4, true));
  const wide = (at: number, count: number): readonly bigint[] =>
    Array.from({ length: count }, (_, i) => view.getBigUint64(at + i * 8, true));
  const text = (at: number, length: number): string => Buffer.from(notes.subarray(at, at + length)).toString("latin1");

  it("has an NT_PRSTATUS for each vCPU, numbered from 1", () => {
    for (const [index, at] of [0, PRSTATUS_END].entries()) {
      assert.deepEqual(words(at, 3), [5, 336, 1]);
      assert.equal(text(at + 12, 8), "CORE\0\0\0\0");
      assert.equal(view.getUint32(at + PRSTATUS_AT + 32, true), index + 1);
    }
  });

  it("has the registers in the order of user_regs_struct", () => {
    // r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi
    const general = [15, 14, 13, 12, 7, 1, 11, 10, 9, 8, 0, 2, 3, 4, 5].map((i) => BigInt(1000 + i));
    // orig_rax, rip, cs, rflags, rsp, ss
    const middle = [0xffff_ffff_ffff_ffffn, 1016n, 2000n, 1017n, 1006n, 2005n];
    // fs_base, gs_base, ds, es, fs, gs
    const last = [0xffff_8000_0000_0003n, 0xffff_8000_0000_0004n, 2001n, 2002n, 2003n, 2004n];
    assert.deepEqual(wide(PRSTATUS_AT + 112, 27), [...general, ...middle, ...last]);
  });

  it("has what crash needs for finding the kernel: segments, descriptor tables, control registers", () => {
    const at = 2 * PRSTATUS_END;
    assert.deepEqual(words(at, 3), [5, 440, 0]);
    assert.equal(text(at + 12, 8), "QEMU\0\0\0\0");
    const state = at + 20;
    assert.deepEqual(words(state, 2), [1, 440]);
    assert.deepEqual(
      wide(state + 8, 18),
      GENERAL_REGISTERS.map((_, i) => BigInt(1000 + i)),
    );
    const segments = state + 8 + 18 * 8;
    // cs, then ds: selector, limit, flags, padding, base.
    assert.deepEqual(words(segments, 4), [2000, 3000, 4000, 0]);
    assert.deepEqual(words(segments + 24, 4), [2001, 3001, 4001, 0]);
    assert.deepEqual(wide(segments + 16, 1), [0xffff_8000_0000_0000n]);
    const tables = segments + 8 * 24;
    assert.deepEqual([...words(tables, 4), ...wide(tables + 16, 1)], [0, 5001, 0, 0, 5000n]);
    assert.deepEqual([...words(tables + 24, 4), ...wide(tables + 40, 1)], [0, 6001, 0, 0, 6000n]);
    assert.deepEqual(wide(tables + 48, 6), [7000n, 0n, 7002n, 7003n, 7004n, 8000n]);
    assert.equal(state + 440, tables + 48 + 6 * 8);
    assert.equal(notes.length, 2 * PRSTATUS_END + 2 * 460);
  });
});
