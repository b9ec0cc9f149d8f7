/**
 * Names of CPUID's feature bits, as QEMU and /proc/cpuinfo have them, by leaf and register.
 *
 * [SDM] volume 2A, CPUID; [APM] volume 3, appendix E.
 */

export type Register = "eax" | "ebx" | "ecx" | "edx";

/** Names of the bits of one register from bit 0 on; "-" where there is none. */
export interface FeatureWord {
  readonly leaf: number;
  readonly index: number;
  readonly register: Register;
  readonly names: string;
}

export const FEATURE_WORDS: readonly FeatureWord[] = [
  {
    leaf: 1,
    index: 0,
    register: "edx",
    names:
      "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe",
  },
  {
    leaf: 1,
    index: 0,
    register: "ecx",
    names:
      "pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm - pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave osxsave avx f16c rdrand hypervisor",
  },
  { leaf: 6, index: 0, register: "eax", names: "- - arat" },
  {
    leaf: 7,
    index: 0,
    register: "ebx",
    names:
      "fsgsbase tsc-adjust sgx bmi1 hle avx2 fdp-excptn-only smep bmi2 erms invpcid rtm - zero-fcs-fds mpx - avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er avx512cd sha-ni avx512bw avx512vl",
  },
  {
    leaf: 7,
    index: 0,
    register: "ecx",
    names:
      "prefetchwt1 avx512vbmi umip pku ospke waitpkg avx512vbmi2 shstk gfni vaes vpclmulqdq avx512vnni avx512bitalg - avx512-vpopcntdq - la57 - - - - - rdpid - bus-lock-detect cldemote - movdiri movdir64b - sgxlc pks",
  },
  {
    leaf: 7,
    index: 0,
    register: "edx",
    names:
      "- - avx512-4vnniw avx512-4fmaps fsrm - - - avx512-vp2intersect - md-clear - - - serialize - tsx-ldtrk - - arch-lbr ibt - amx-bf16 avx512-fp16 amx-tile amx-int8 spec-ctrl stibp flush-l1d arch-capabilities core-capability ssbd",
  },
  {
    leaf: 7,
    index: 1,
    register: "eax",
    names:
      "sha512 sm3 sm4 - avx-vnni avx512-bf16 - cmpccxadd - - fzrm fsrs fsrc - - - - fred lkgs wrmsrns - amx-fp16 - avx-ifma - - lam",
  },
  {
    leaf: 7,
    index: 1,
    register: "edx",
    names: "- - - - avx-vnni-int8 avx-ne-convert - - amx-complex - avx-vnni-int16 - - - prefetchiti - - - - avx10",
  },
  { leaf: 7, index: 2, register: "edx", names: "intel-psfd ipred-ctrl rrsba-ctrl ddpd-u bhi-ctrl mcdt-no" },
  { leaf: 0xd, index: 1, register: "eax", names: "xsaveopt xsavec xgetbv1 xsaves xfd" },
  {
    leaf: 0x14,
    index: 0,
    register: "ecx",
    names: "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - intel-pt-lip",
  },
  {
    leaf: 0x24,
    index: 0,
    register: "ebx",
    names: "- - - - - - - - - - - - - - - - avx10-128 avx10-256 avx10-512",
  },
  {
    leaf: 0x8000_0001,
    index: 0,
    register: "edx",
    names: "- - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - fxsr-opt pdpe1gb rdtscp - lm 3dnowext 3dnow",
  },
  {
    leaf: 0x8000_0001,
    index: 0,
    register: "ecx",
    names:
      "lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid-msr - tbm topoext perfctr-core perfctr-nb",
  },
  { leaf: 0x8000_0007, index: 0, register: "ebx", names: "overflow-recov succor" },
  { leaf: 0x8000_0007, index: 0, register: "edx", names: "- - - - - - - - invtsc" },
  {
    leaf: 0x8000_0008,
    index: 0,
    register: "ebx",
    names:
      "clzero - xsaveerptr - - - - - - wbnoinvd - - ibpb - ibrs amd-stibp - stibp-always-on - - - - - - amd-ssbd virt-ssbd amd-no-ssb - amd-psfd",
  },
  {
    leaf: 0x8000_000a,
    index: 0,
    register: "edx",
    names:
      "npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists - - pause-filter - pfthreshold avic - v-vmsave-vmload vgif - - - - - - - - vnmi - - svme-addr-chk",
  },
  {
    leaf: 0x8000_0021,
    index: 0,
    register: "eax",
    names:
      "no-nested-data-bp - lfence-always-serializing - - - null-sel-clr-base - auto-ibrs - - - - - - - - - - - - - - - eraps - - sbpb ibpb-brtype srso-no srso-user-kernel-no",
  },
  { leaf: 0x8000_0022, index: 0, register: "eax", names: "perfmon-v2" },
  {
    leaf: 0xc000_0001,
    index: 0,
    register: "edx",
    names: "- - xstore xstore-en - - xcrypt xcrypt-en ace2 ace2-en phe phe-en pmm pmm-en",
  },
];

/** Other names that people use. An underscore stands for a hyphen in any name. */
export const FEATURE_ALIASES: Readonly<Record<string, string>> = {
  sse3: "pni",
  "sse4-1": "sse4.1",
  "sse4-2": "sse4.2",
  "tsc-deadline-timer": "tsc-deadline",
  i64: "lm",
  ffxsr: "fxsr-opt",
  xd: "nx",
  psn: "pn",
  htt: "ht",
  clfsh: "clflush",
};

/**
 * Features of QEMU's that are not bits of CPUID here, by how their names start: they can be switched off, as they are off,
 * and not on.
 */
export const ABSENT_FEATURES: readonly (readonly [start: RegExp, reason: string])[] = [
  [/^kvm(clock|-|$)/, "the guest is shown nothing of KVM"],
  [/^hv-/, "Hyper-V's enlightenments are no features of the processor"],
  [/^vmx-/, "how VMX works is the host's KVM's to say"],
  [/^sgx(1|2|-)/, "there is no enclave memory"],
  [
    /^(rdctl-no|ibrs-all|rsba|skip-l1dfl-vmentry|ssb-no|mds-no|pschange-mc-no|taa-no|tsx-ctrl)$/,
    "MSRs are as KVM has them",
  ],
  [/^(split-lock-detect|full-width-write)$/, "MSRs are as KVM has them"],
];
