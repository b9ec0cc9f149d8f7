/**
 * CPUID features by the names that QEMU and /proc/cpuinfo use, to be switched on or off with `--cpu host,+name,-name`.
 *
 * [SDM] volume 2A, CPUID; [APM] volume 3, appendix E.
 */
import { VmmError } from "../shared/errors.js";
import type { CpuidEntry } from "./host/vcpu.js";

type Register = "eax" | "ebx" | "ecx" | "edx";

/** Names of the bits of one register from bit 0 on; "" where there is none. */
interface FeatureWord {
  readonly leaf: number;
  readonly index: number;
  readonly register: Register;
  readonly names: string;
}

const WORDS: readonly FeatureWord[] = [
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
  {
    leaf: 7,
    index: 0,
    register: "ebx",
    names:
      "fsgsbase tsc-adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm - - mpx - avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er avx512cd sha-ni avx512bw avx512vl",
  },
  {
    leaf: 7,
    index: 0,
    register: "ecx",
    names:
      "prefetchwt1 avx512vbmi umip pku ospke waitpkg avx512vbmi2 - gfni vaes vpclmulqdq avx512vnni avx512bitalg - avx512-vpopcntdq - la57 - - - - - rdpid - bus-lock-detect cldemote - movdiri movdir64b - sgxlc pks",
  },
  {
    leaf: 7,
    index: 0,
    register: "edx",
    names:
      "- - avx512-4vnniw avx512-4fmaps fsrm - - - avx512-vp2intersect - md-clear - - - serialize - tsx-ldtrk - - arch-lbr - - amx-bf16 avx512-fp16 amx-tile amx-int8 spec-ctrl stibp flush-l1d arch-capabilities core-capability ssbd",
  },
  {
    leaf: 0xd,
    index: 1,
    register: "eax",
    names: "xsaveopt xsavec xgetbv1 xsaves",
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
      "lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid-msr - tbm topoext perfctr-core perfctr-nb - - - - - - -",
  },
  { leaf: 0x8000_0007, index: 0, register: "edx", names: "- - - - - - - - invtsc" },
  {
    leaf: 0x8000_0008,
    index: 0,
    register: "ebx",
    names: "clzero - xsaveerptr - - - - - - wbnoinvd - - ibpb - ibrs amd-stibp",
  },
];

const ALIASES: Readonly<Record<string, string>> = {
  sse3: "pni",
  "sse4-1": "sse4.1",
  "sse4-2": "sse4.2",
  sse4_1: "sse4.1",
  sse4_2: "sse4.2",
  tsc_deadline: "tsc-deadline",
  "tsc-deadline-timer": "tsc-deadline",
  fxsr_opt: "fxsr-opt",
  lahf_lm: "lahf-lm",
  sha_ni: "sha-ni",
  xd: "nx",
};

const BITS = new Map<string, { readonly word: FeatureWord; readonly bit: number }>(
  WORDS.flatMap((word) =>
    word.names.split(" ").flatMap((name, bit) => (name === "-" ? [] : [[name, { word, bit }] as const])),
  ),
);

/**
 * `entries` with features forced on or off.
 *
 * @throws VmmError CONFIG when a name is not known, or a feature is asked for that the host cannot give
 */
export function applyFeatures(
  entries: readonly CpuidEntry[],
  features: Readonly<Record<string, boolean>>,
): readonly CpuidEntry[] {
  return Object.entries(features).reduce((result, [name, on]) => setFeature(result, name, on), entries);
}

function setFeature(entries: readonly CpuidEntry[], given: string, on: boolean): readonly CpuidEntry[] {
  const name = ALIASES[given] ?? given.replaceAll("_", "-");
  const place = BITS.get(name) ?? BITS.get(given);
  if (place === undefined)
    throw new VmmError("CONFIG", `cpu.features: there is no CPU feature ${JSON.stringify(given)}`);
  const { word, bit } = place;
  const mask = (1 << bit) >>> 0;
  const entry = entries.find(({ function: leaf, index }) => leaf === word.leaf && index === word.index);
  const present = entry !== undefined && (entry[word.register] & mask) !== 0;
  if (on && !present) {
    throw new VmmError("CONFIG", `cpu.features: this host cannot give the guest the CPU feature ${given}`);
  }
  if (on || entry === undefined) return entries;
  const cleared = { ...entry, [word.register]: (entry[word.register] & ~mask) >>> 0 };
  return entries.map((candidate) => (candidate === entry ? cleared : candidate));
}
