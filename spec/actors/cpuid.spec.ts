import assert from "node:assert/strict";
import fc from "fast-check";
import { guestCpuid, tscScale } from "../../actors/cpuid.js";
import type { CpuidEntry } from "../../actors/host/vcpu.js";
import { resolveConfig } from "../../shared/config.js";
import type { MachineConfig } from "../../shared/config.js";

const XEN_VERSION = 0x4_000a;
const BRAND = "A Processor @ 2.00GHz";
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

/** What KVM can give of Hyper-V: KVM_GET_SUPPORTED_HV_CPUID. */
const HYPERV: readonly CpuidEntry[] = [
  entry(0x4000_0002, 0, { eax: 0x3839, ebx: 0x000a_0000 }),
  entry(0x4000_0003, 0, { eax: 0xaff, edx: 0x8_0510 }),
  entry(0x4000_0004, 0, { eax: 0xc2c }),
  entry(0x4000_0005, 0, { eax: 1024, ebx: 64 }),
];

function cpuid(config: Partial<MachineConfig>, vcpu = 0): readonly CpuidEntry[] {
  const resolved = resolveConfig({ boot: { kernel: "k" }, ...config });
  return guestCpuid({
    config: resolved,
    supported: SUPPORTED,
    supportedHyperv: HYPERV,
    vcpu,
    brand: BRAND,
    tscDeadline: true,
    tscKhz: TSC_KHZ,
  });
}

function leaf(entries: readonly CpuidEntry[], number: number, index = 0): CpuidEntry {
  const found = entries.find((candidate) => candidate.function === number && candidate.index === index);
  assert(found !== undefined, `leaf 0x${number.toString(16)}.${index}`);
  return found;
}

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

  it("shows Hyper-V first, and Xen at 0x40000100 with MSR 0x40000200, when asked for both", () => {
    const entries = cpuid({ accel: { xenVersion: XEN_VERSION }, cpu: { hyperv: ["relaxed"] } });
    const first = leaf(entries, 0x4000_0000);
    // It covers its own leaves only. "Microsoft Hv"
    assert.deepEqual(
      [first.eax, first.ebx, first.ecx, first.edx],
      [0x4000_0005, 0x7263_694d, 0x666f_736f, 0x7648_2074],
    );
    const xen = leaf(entries, 0x4000_0100);
    assert.deepEqual([xen.ebx, xen.ecx, xen.edx], XEN_SIGNATURE);
    assert.equal(xen.eax, 0x4000_0105);
    assert.equal(leaf(entries, 0x4000_0101).eax, XEN_VERSION);
    assert.deepEqual([leaf(entries, 0x4000_0102).eax, leaf(entries, 0x4000_0102).ebx], [1, 0x4000_0200]);
  });

  it("shows Hyper-V alone without Xen", () => {
    const entries = cpuid({ accel: { xenVersion: 0 }, cpu: { hyperv: ["relaxed"] } });
    assert.deepEqual(
      entries
        .filter(({ function: number }) => number >= 0x4000_0000 && number < 0x4001_0000)
        .map(({ function: n }) => n),
      [0x4000_0000, 0x4000_0001, 0x4000_0002, 0x4000_0003, 0x4000_0004, 0x4000_0005],
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
    assert.deepEqual([one.ebx >>> 16, one.edx & (1 << 28)], [0, 0]);
  });

  it("has the host processor's name, which KVM leaves out", () => {
    const entries = cpuid({});
    const bytes = [0x8000_0002, 0x8000_0003, 0x8000_0004].flatMap((number) => {
      const { eax, ebx, ecx, edx } = leaf(entries, number);
      return [...new Uint8Array(Uint32Array.of(eax, ebx, ecx, edx).buffer)];
    });
    assert.equal(Buffer.from(bytes).toString("latin1"), BRAND.padEnd(48, "\0"));
    assert.equal(entries.filter(({ function: number }) => number === 0x8000_0002).length, 1);
  });

  it("takes away a feature, the hypervisor bit too, and the XSAVE state that goes with it", () => {
    const off = cpuid({ cpu: { features: { hypervisor: false, xsave: false } } });
    assert.equal(leaf(off, 1).ecx, 1 << 24);
    assert.equal(leaf(off, 4, 3).eax >>> 26, 0, "the rest stays");
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
