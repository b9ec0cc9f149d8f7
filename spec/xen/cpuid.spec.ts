import assert from "node:assert/strict";
import { xenCpuid } from "../../xen/cpuid.js";
import type { XenCpuidOptions } from "../../xen/cpuid.js";

const OPTIONS: XenCpuidOptions = {
  base: 0x4000_0000,
  xenVersion: 0x4_0011,
  xenVapic: false,
  vcpuId: 3,
  domid: 1,
  hypercallMsr: 0x4000_0000,
  tscKhz: 2_000_000,
  hostTscKhz: 2_100_000,
  tscMul: 0x8000_0000,
  tscShift: -1,
  tscOffsetLow: 5,
  tscOffsetHigh: 6,
  tscStable: true,
  rdtscp: true,
};

function rows(options: Partial<XenCpuidOptions> = {}): readonly (readonly number[])[] {
  return xenCpuid({ ...OPTIONS, ...options }).map((leaf) => [
    leaf.function,
    leaf.index,
    leaf.eax,
    leaf.ebx,
    leaf.ecx,
    leaf.edx,
  ]);
}

describe("xenCpuid()", () => {
  it("gives the leaves of arch-x86/cpuid.h", () => {
    assert.deepEqual(rows(), [
      [0x4000_0000, 0, 0x4000_0005, 0x566e_6558, 0x6558_4d4d, 0x4d4d_566e],
      [0x4000_0001, 0, 0x4_0011, 0, 0, 0],
      [0x4000_0002, 0, 1, 0x4000_0000, 0, 0],
      [0x4000_0003, 0, 0b110, 0, 2_000_000, 0],
      [0x4000_0003, 1, 5, 6, 0x8000_0000, 0xffff_ffff],
      [0x4000_0003, 2, 2_100_000, 0, 0, 0],
      [0x4000_0004, 0, 0b101_1100, 3, 1, 0],
      [0x4000_0005, 0, 0, 0, 0, 0],
    ]);
  });

  it("moves aside for Hyper-V", () => {
    const leaves = rows({ base: 0x4000_0100, hypercallMsr: 0x4000_0200 });
    assert.deepEqual([leaves[0]?.[0], leaves[0]?.[2], leaves[2]?.[3]], [0x4000_0100, 0x4000_0105, 0x4000_0200]);
  });

  for (const [version, features] of [
    [0x4_0004, 0],
    [0x4_0005, 0b100],
    [0x4_0006, 0b1100],
    [0x4_000a, 0b1100],
    [0x4_000c, 0b1_1100],
    [0x4_0011, 0b101_1100],
  ] as const) {
    it(`tells HVM features 0b${features.toString(2)} as version 0x${version.toString(16)}`, () => {
      assert.equal(rows({ xenVersion: version })[6]?.[2], features);
    });
  }

  it("ends at leaf +4 before Xen 4.10", () => {
    const leaves = rows({ xenVersion: 0x4_0009 });
    assert.deepEqual([leaves[0]?.[2], leaves.length], [0x4000_0004, 7]);
  });

  it("adds the APIC's bits with xen-vapic", () => {
    assert.equal(rows({ xenVapic: true })[6]?.[2], 0b101_1111);
  });
});
