/** [CPUID] Intel SDM volume 2A, leaf 0xd; volume 1, 13.1 */
import assert from "node:assert/strict";
import { xsaveLeaf } from "../../actors/xsave-leaf.js";
import type { CpuidEntry } from "../../actors/host/vcpu.js";

function entry(leaf: number, index: number, registers: Partial<CpuidEntry> = {}): CpuidEntry {
  return { function: leaf, index, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0, ...registers };
}

const XSAVE = 2 ** 26;
const AVX = 2 ** 28;
const AVX512F = 2 ** 16;
const PKU = 2 ** 3;

/** Offsets and sizes of a server of Intel's: AVX, AVX-512, PKRU, and supervisor state. */
function host(leaf1Ecx: number, leaf7Ebx = AVX512F, leaf7Ecx = PKU): readonly CpuidEntry[] {
  return [
    entry(1, 0, { ecx: leaf1Ecx }),
    entry(7, 0, { ebx: leaf7Ebx, ecx: leaf7Ecx }),
    entry(0xd, 0, { eax: 0x2e7, ebx: 0x240, ecx: 0xa88 }),
    entry(0xd, 1, { eax: 0xf, ecx: 0x1800 }),
    entry(0xd, 2, { eax: 0x100, ebx: 0x240 }),
    entry(0xd, 5, { eax: 0x40, ebx: 0x440 }),
    entry(0xd, 6, { eax: 0x200, ebx: 0x480 }),
    entry(0xd, 7, { eax: 0x400, ebx: 0x680 }),
    entry(0xd, 9, { eax: 0x8, ebx: 0xa80 }),
    entry(0xd, 11, { eax: 0x10, ecx: 1 }),
  ];
}

/** Components, size of the area, sub-leaves. */
function shown(entries: readonly CpuidEntry[]): readonly unknown[] {
  const leaves = xsaveLeaf(entries).filter(({ function: leaf }) => leaf === 0xd);
  return [leaves[0]?.eax, leaves[0]?.ecx, leaves.map(({ index }) => index)];
}

describe("xsaveLeaf()", () => {
  it("leaves alone what all features are there for", () => {
    assert.deepEqual(xsaveLeaf(host(XSAVE | AVX)), host(XSAVE | AVX));
  });

  it("takes away the components of features that are off, and the room for them", () => {
    assert.deepEqual(shown(host(XSAVE | AVX, 0)), [0x207, 0xa88, [0, 1, 2, 9, 11]]);
    assert.deepEqual(shown(host(XSAVE | AVX, 0, 0)), [0x007, 0x340, [0, 1, 2, 11]]);
    assert.deepEqual(shown(host(XSAVE, 0, 0)), [0x003, 0x240, [0, 1, 11]]);
  });

  it("takes the whole leaf away without XSAVE", () => {
    assert.deepEqual(shown(host(AVX)), [undefined, undefined, []]);
  });
});
