import assert from "node:assert/strict";
import { applyFeatures } from "../../actors/cpu-features.js";
import type { CpuidEntry } from "../../actors/host/vcpu.js";
import { VmmError } from "../../shared/errors.js";

/** Everything on. */
function host(): readonly CpuidEntry[] {
  return [
    [1, 0],
    [7, 0],
    [0xd, 1],
    [0x8000_0001, 0],
    [0x8000_0007, 0],
    [0x8000_0008, 0],
  ].map(([leaf, index]) => ({
    function: leaf ?? 0,
    index: index ?? 0,
    flags: 0,
    eax: 0xffff_ffff,
    ebx: 0xffff_ffff,
    ecx: 0xffff_ffff,
    edx: 0xffff_ffff,
  }));
}

/** [name, leaf, register, bit]: from the SDM's and the APM's tables of CPUID. */
const BITS = [
  ["fpu", 1, "edx", 0],
  ["apic", 1, "edx", 9],
  ["pse36", 1, "edx", 17],
  ["sse2", 1, "edx", 26],
  ["ht", 1, "edx", 28],
  ["pni", 1, "ecx", 0],
  ["sse4.2", 1, "ecx", 20],
  ["x2apic", 1, "ecx", 21],
  ["tsc-deadline", 1, "ecx", 24],
  ["aes", 1, "ecx", 25],
  ["avx", 1, "ecx", 28],
  ["rdrand", 1, "ecx", 30],
  ["hypervisor", 1, "ecx", 31],
  ["fsgsbase", 7, "ebx", 0],
  ["avx2", 7, "ebx", 5],
  ["smep", 7, "ebx", 7],
  ["erms", 7, "ebx", 9],
  ["avx512f", 7, "ebx", 16],
  ["rdseed", 7, "ebx", 18],
  ["smap", 7, "ebx", 20],
  ["clflushopt", 7, "ebx", 23],
  ["sha-ni", 7, "ebx", 29],
  ["avx512vl", 7, "ebx", 31],
  ["umip", 7, "ecx", 2],
  ["pku", 7, "ecx", 3],
  ["la57", 7, "ecx", 16],
  ["rdpid", 7, "ecx", 22],
  ["fsrm", 7, "edx", 4],
  ["spec-ctrl", 7, "edx", 26],
  ["ssbd", 7, "edx", 31],
  ["xsaves", 0xd, "eax", 3],
  ["syscall", 0x8000_0001, "edx", 11],
  ["nx", 0x8000_0001, "edx", 20],
  ["pdpe1gb", 0x8000_0001, "edx", 26],
  ["rdtscp", 0x8000_0001, "edx", 27],
  ["lm", 0x8000_0001, "edx", 29],
  ["lahf-lm", 0x8000_0001, "ecx", 0],
  ["svm", 0x8000_0001, "ecx", 2],
  ["topoext", 0x8000_0001, "ecx", 22],
  ["invtsc", 0x8000_0007, "edx", 8],
  ["ibpb", 0x8000_0008, "ebx", 12],
] as const;

describe("applyFeatures()", () => {
  for (const [name, leaf, register, bit] of BITS) {
    it(`finds ${name} in bit ${bit} of leaf 0x${leaf.toString(16)} ${register}`, () => {
      const entry = applyFeatures(host(), { [name]: false }).find((candidate) => candidate.function === leaf);
      assert.equal(entry?.[register], 0xffff_ffff - 2 ** bit);
    });
  }

  it("leaves alone what is not named, and what is on already", () => {
    assert.deepEqual(applyFeatures(host(), {}), host());
    assert.deepEqual(applyFeatures(host(), { avx2: true }), host());
  });

  it("knows the names of QEMU and of /proc/cpuinfo", () => {
    const off = (name: string): readonly CpuidEntry[] => applyFeatures(host(), { [name]: false });
    for (const [one, other] of [
      ["sse3", "pni"],
      ["sse4_1", "sse4.1"],
      ["sse4-1", "sse4.1"],
      ["lahf_lm", "lahf-lm"],
      ["tsc_deadline", "tsc-deadline"],
      ["sha_ni", "sha-ni"],
      ["xd", "nx"],
    ] as const) {
      assert.deepEqual(off(one), off(other), one);
    }
  });

  it("refuses a name that it does not know, and a feature that the host lacks", () => {
    const config = (pattern: RegExp) => (error: unknown) =>
      error instanceof VmmError && error.code === "CONFIG" && pattern.test(error.message);
    assert.throws(() => applyFeatures(host(), { "warp-drive": true }), config(/no CPU feature "warp-drive"/));
    const poor = applyFeatures(host(), { avx2: false });
    assert.throws(() => applyFeatures(poor, { avx2: true }), config(/cannot give the guest the CPU feature avx2/));
    assert.throws(() => applyFeatures([], { avx2: true }), config(/avx2/));
  });

  it("lets a feature be switched off that is not there", () => {
    assert.deepEqual(applyFeatures([], { avx2: false }), []);
  });
});
