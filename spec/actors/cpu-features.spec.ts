import assert from "node:assert/strict";
import { applyFeatures } from "../../actors/cpu-features.js";
import type { CpuidEntry } from "../../actors/host/vcpu.js";
import { VmmError } from "../../shared/errors.js";

/** Everything on. */
function host(): readonly CpuidEntry[] {
  return [
    [1, 0],
    [6, 0],
    [7, 0],
    [7, 1],
    [7, 2],
    [0xa, 0],
    [0xd, 1],
    [0x8000_0001, 0],
    [0x8000_0007, 0],
    [0x8000_0008, 0],
    [0x8000_000a, 0],
    [0x8000_0021, 0],
    [0x8000_0022, 0],
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
const BITS: readonly (readonly [string, number, "eax" | "ebx" | "ecx" | "edx", number, number?])[] = [
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
  ["succor", 0x8000_0007, "ebx", 1],
  ["ibpb", 0x8000_0008, "ebx", 12],
  ["amd-psfd", 0x8000_0008, "ebx", 28],
  ["npt", 0x8000_000a, "edx", 0],
  ["svme-addr-chk", 0x8000_000a, "edx", 28],
  ["srso-no", 0x8000_0021, "eax", 29],
  ["perfmon-v2", 0x8000_0022, "eax", 0],
  ["arat", 6, "eax", 2],
  ["lam", 7, "eax", 26, 1],
  ["avx-vnni", 7, "eax", 4, 1],
  ["prefetchiti", 7, "edx", 14, 1],
  ["bhi-ctrl", 7, "edx", 4, 2],
];

/** `qemu-system-x86_64 -cpu help`, without those that start with vmx-. */
const QEMU_NAMES = `3dnow 3dnowext 3dnowprefetch abm ace2 ace2-en acpi adx aes amd-no-ssb amd-ssbd amd-stibp amx-bf16 amx-int8
  amx-tile apic arat arch-capabilities arch-lbr avic avx avx-vnni avx2 avx512-4fmaps avx512-4vnniw avx512-bf16
  avx512-fp16 avx512-vp2intersect avx512-vpopcntdq avx512bitalg avx512bw avx512cd avx512dq avx512er avx512f
  avx512ifma avx512pf avx512vbmi avx512vbmi2 avx512vl avx512vnni bmi1 bmi2 bus-lock-detect cid cldemote clflush
  clflushopt clwb clzero cmov cmp-legacy core-capability cr8legacy cx16 cx8 dca de decodeassists ds ds-cpl dtes64
  erms est extapic f16c flushbyasid fma fma4 fpu fsgsbase fsrm full-width-write fxsr fxsr-opt gfni hle ht
  hypervisor ia64 ibpb ibrs ibrs-all ibs intel-pt intel-pt-lip invpcid invtsc kvm-asyncpf kvm-asyncpf-int
  kvm-hint-dedicated kvm-mmu kvm-msi-ext-dest-id kvm-nopiodelay kvm-poll-control kvm-pv-eoi kvm-pv-ipi
  kvm-pv-sched-yield kvm-pv-tlb-flush kvm-pv-unhalt kvm-steal-time kvmclock kvmclock kvmclock-stable-bit la57
  lahf-lm lbrv lm lwp mca mce md-clear mds-no misalignsse mmx mmxext monitor movbe movdir64b movdiri mpx msr mtrr
  nodeid-msr npt nrip-save nx osvw pae pat pause-filter pbe pcid pclmulqdq pcommit pdcm pdpe1gb perfctr-core
  perfctr-nb pfthreshold pge phe phe-en pks pku pmm pmm-en pn pni popcnt pschange-mc-no pse pse36 rdctl-no rdpid
  rdrand rdseed rdtscp rsba rtm sep serialize sgx sgx-debug sgx-exinfo sgx-kss sgx-mode64 sgx-provisionkey
  sgx-tokenkey sgx1 sgx2 sgxlc sha-ni skinit skip-l1dfl-vmentry smap smep smx spec-ctrl split-lock-detect ss ssb-no
  ssbd sse sse2 sse4.1 sse4.2 sse4a ssse3 stibp svm svm-lock svme-addr-chk syscall taa-no tbm tce tm tm2 topoext
  tsc tsc-adjust tsc-deadline tsc-scale tsx-ctrl tsx-ldtrk umip v-vmsave-vmload vaes vgif virt-ssbd vmcb-clean vme
  vmx vpclmulqdq waitpkg wbnoinvd wdt x2apic xcrypt xcrypt-en xfd xgetbv1 xop xsave xsavec xsaveerptr xsaveopt
  xsaves xstore xstore-en xtpr`;

describe("applyFeatures()", () => {
  for (const [name, leaf, register, bit, index] of BITS) {
    it(`finds ${name} in bit ${bit} of leaf 0x${leaf.toString(16)} ${register}`, () => {
      const entry = applyFeatures(host(), { [name]: false }).find(
        (candidate) => candidate.function === leaf && candidate.index === (index ?? (leaf === 0xd ? 1 : 0)),
      );
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

  it("knows every name that QEMU 7.2 lists, but for those of MSRs", () => {
    for (const name of QEMU_NAMES.split(/\s+/)) assert.doesNotThrow(() => applyFeatures([], { [name]: false }), name);
  });

  it("clears AMD's second place of a feature too", () => {
    const second = applyFeatures(host(), { mmx: false }).find((entry) => entry.function === 0x8000_0001);
    assert.equal(second?.edx, 0xffff_ffff - 2 ** 23);
    const alone = applyFeatures(host(), { sse2: false }).find((entry) => entry.function === 0x8000_0001);
    assert.equal(alone?.edx, 0xffff_ffff);
  });

  it("takes the performance counters away with pmu, and what QEMU checks by options is checked anyway", () => {
    const off = applyFeatures(host(), { pmu: false, enforce: true, migratable: false });
    const without = host().filter(({ function: leaf }) => leaf !== 0xa && leaf !== 0x8000_0022);
    assert.deepEqual(off, without);
    assert.throws(() => applyFeatures(off, { pmu: true }), VmmError);
  });

  it("lets what is never there be switched off, and says why not on", () => {
    for (const name of ["kvmclock", "kvm-pv-eoi", "hv-relaxed", "vmx-ept", "sgx1", "rdctl-no"]) {
      assert.deepEqual(applyFeatures(host(), { [name]: false }), host());
      assert.throws(() => applyFeatures(host(), { [name]: true }), /cannot be switched on: /);
    }
  });

  it("refuses a name that it does not know, and a feature that the host lacks", () => {
    const config = (pattern: RegExp) => (error: unknown) =>
      error instanceof VmmError && error.code === "CONFIG" && pattern.test(error.message);
    assert.throws(
      () => applyFeatures(host(), { "warp-drive": true }),
      config(/^cpu\.features\.warp-drive: there is no such CPU feature$/),
    );
    const poor = applyFeatures(host(), { avx2: false });
    assert.throws(
      () => applyFeatures(poor, { avx2: true }),
      config(/^cpu\.features\.avx2: this host cannot give it to the guest$/),
    );
    assert.throws(() => applyFeatures([], { avx2: true }), config(/avx2/));
  });

  it("lets a feature be switched off that is not there", () => {
    assert.deepEqual(applyFeatures([], { avx2: false }), []);
  });
});
