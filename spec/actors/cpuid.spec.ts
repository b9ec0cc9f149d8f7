import assert from "node:assert/strict";
import fc from "fast-check";
import { apicIdOf, apicShifts, guestCpuid, tscScale } from "../../actors/cpuid.js";
import type { CpuidEntry } from "../../actors/host/vcpu.js";
import { resolveConfig } from "../../shared/config.js";
import type { MachineConfig } from "../../shared/config.js";

const XEN_VERSION = 0x4_000a;
const TSC_KHZ = 2_000_000;
/** "XenVMMXenVMM", xen/include/public/arch-x86/cpuid.h */
const XEN_SIGNATURE = [0x566e_6558, 0x6558_4d4d, 0x4d4d_566e];

function entry(leaf: number, index: number, registers: Partial<CpuidEntry> = {}): CpuidEntry {
  return { function: leaf, index, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0, ...registers };
}

/** What a KVM of today reports, cut down. */
const SUPPORTED: readonly CpuidEntry[] = [
  entry(0, 0, { eax: 0xb }),
  entry(1, 0, { ebx: 0x0010_0800, edx: 1 << 28 }),
  // L1 data cache, L3 cache: type in bits 4:0, level in 7:5.
  entry(4, 0, { eax: 0x0000_0121 }),
  entry(4, 3, { eax: 0xfc00_0163 }),
  entry(0xb, 0, { eax: 99 }),
  entry(0xb, 1, { eax: 99 }),
  entry(0x4000_0000, 0, { ebx: 0x4b4d_564b }),
  entry(0x4000_0001, 0, { eax: 0xffff }),
  entry(0x8000_0008, 0, { eax: 46 }),
];

function cpuid(config: Partial<MachineConfig>, vcpu = 0): readonly CpuidEntry[] {
  const resolved = resolveConfig({ boot: { kernel: "k" }, ...config });
  return guestCpuid({
    config: resolved,
    supported: SUPPORTED,
    vcpu,
    apicId: apicIdOf(vcpu, resolved.vcpus),
    tscDeadline: true,
    tscKhz: TSC_KHZ,
    hypercallMsr: 0x4000_0000,
  });
}

function leaf(entries: readonly CpuidEntry[], number: number, index = 0): CpuidEntry {
  const found = entries.find((candidate) => candidate.function === number && candidate.index === index);
  assert(found !== undefined, `leaf 0x${number.toString(16)}.${index}`);
  return found;
}

describe("apicIdOf()", () => {
  it("gives socket, core and thread bits of their own", () => {
    // 3 cores take 2 bits, 2 threads take 1: ids have a hole after each third core.
    const topology = { cores: 3, threads: 2 };
    assert.deepEqual(apicShifts(topology), { thread: 1, core: 3 });
    assert.deepEqual(
      Array.from({ length: 8 }, (_, i) => apicIdOf(i, topology)),
      [0, 1, 2, 3, 4, 5, 8, 9],
    );
  });

  it("counts from 0 without gaps where the topology is a power of two", () => {
    assert.deepEqual(
      Array.from({ length: 8 }, (_, i) => apicIdOf(i, { cores: 2, threads: 2 })),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
  });

  it("gives no two vCPUs the same id", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 }), (cores, threads) => {
        const ids = Array.from({ length: 64 }, (_, i) => apicIdOf(i, { cores, threads }));
        assert.equal(new Set(ids).size, 64);
      }),
    );
  });
});

describe("guestCpuid()", () => {
  it("shows Xen and nothing of KVM", () => {
    const entries = cpuid({ accel: { xenVersion: XEN_VERSION } });
    const { ebx, ecx, edx } = leaf(entries, 0x4000_0000);
    assert.deepEqual([ebx, ecx, edx], XEN_SIGNATURE);
    assert.equal(leaf(entries, 0x4000_0001).eax, XEN_VERSION);
    // One page, filled by a write to the MSR.
    assert.deepEqual([leaf(entries, 0x4000_0002).eax, leaf(entries, 0x4000_0002).ebx], [1, 0x4000_0000]);
    assert.equal(
      entries.some(({ ebx: signature }) => signature === 0x4b4d_564b),
      false,
    );
  });

  it("has no hypervisor leaves at all without Xen, but says that there is a hypervisor", () => {
    const entries = cpuid({ accel: { xenVersion: 0 } });
    assert.deepEqual(
      entries.filter(({ function: number }) => number >= 0x4000_0000 && number < 0x4001_0000),
      [],
    );
    // Leaf 1 ECX: hypervisor (31), TSC deadline (24).
    assert.equal(leaf(entries, 1).ecx, (1 << 31) + (1 << 24) + 2 ** 32);
  });

  it("tells each vCPU its own APIC id, in leaves 1 and 0xb", () => {
    const vcpus = { count: 4, cores: 2, threads: 2 };
    const entries = cpuid({ vcpus }, 3);
    const one = leaf(entries, 1);
    // EBX: APIC id, logical processors, and the host's CLFLUSH size and brand left alone.
    assert.equal(one.ebx, 0x0304_0800);
    assert.equal(one.edx & (1 << 28), 1 << 28);
    const SMT = 0x100;
    const CORE = 0x201;
    assert.deepEqual(
      [0, 1, 2].map((index) => {
        const { eax, ebx, ecx, edx } = leaf(entries, 0xb, index);
        return [eax, ebx, ecx, edx];
      }),
      [
        [1, 2, SMT, 3],
        [2, 4, CORE, 3],
        [0, 0, 2, 3],
      ],
    );
  });

  it("says that a lone processor has no siblings", () => {
    const one = leaf(cpuid({}), 1);
    assert.deepEqual([one.ebx >>> 16, one.edx & (1 << 28)], [1, 0]);
  });

  it("shares small caches by core and large ones by package", () => {
    const entries = cpuid({ vcpus: { count: 4, cores: 2, threads: 2 } });
    // EAX 25:14: logical processors that share the cache, less one; 31:26: cores of the package, less one.
    const sharing = (index: number): number => (leaf(entries, 4, index).eax >>> 14) & 0xfff;
    assert.deepEqual([sharing(0), sharing(3)], [1, 3]);
    assert.equal(leaf(entries, 4, 3).eax >>> 26, 1);
  });
});

describe("tscScale()", () => {
  it("turns ticks into nanoseconds as pvclock does, to better than a part in a million", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 6_000_000 }), fc.integer({ min: 1, max: 1000 }), (khz, ms) => {
        const { mul, shift } = tscScale(khz);
        const ticks = khz * ms;
        const ns = (ticks * 2 ** shift * mul) / 2 ** 32;
        assert(mul >= 2 ** 31 && mul < 2 ** 32);
        assert(Math.abs(ns / (ms * 1e6) - 1) < 1e-6, `${ns} for ${ms} ms`);
      }),
    );
  });

  it("gives nothing when the host does not know its frequency", () => {
    assert.deepEqual(tscScale(0), { mul: 0, shift: 0 });
  });
});
