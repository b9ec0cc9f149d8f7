/**
 * The CPUID leaves by which a guest knows Hyper-V, and what of it may be used.
 *
 * [TLFS] Hypervisor Top Level Functional Specification, "Feature and Interface Discovery". KVM takes from leaf 0x40000001
 * that it is to be Hyper-V to the guest.
 */
import type { CpuConfig, ResolvedConfig } from "../shared/config.js";
import { VmmError } from "../shared/errors.js";
import type { CpuidEntry } from "./host/vcpu.js";

const BASE = 0x4000_0000;
const INTERFACE = 0x4000_0001;
const VERSION = 0x4000_0002;
const FEATURES = 0x4000_0003;
const RECOMMENDATIONS = 0x4000_0004;
const LIMITS = 0x4000_0005;

/** "Microsoft Hv", the vendor, and "Hv#1", the interface. */
const VENDOR = { ebx: 0x7263_694d, ecx: 0x666f_736f, edx: 0x7648_2074 } as const;
const HV_1 = 0x3123_7648;

/** [TLFS] FEATURES, EAX: what a partition may reach. */
const Access = {
  vpRuntime: 1 << 0,
  timeRefCount: 1 << 1,
  synic: 1 << 2,
  stimer: 1 << 3,
  apic: 1 << 4,
  hypercall: 1 << 5,
  vpIndex: 1 << 6,
  reset: 1 << 7,
  referenceTsc: 1 << 9,
  frequency: 1 << 11,
  reenlightenment: 1 << 13,
} as const;

/** [TLFS] FEATURES, EDX. */
const Feature = {
  dynamicPartitioning: 1 << 3,
  xmmInput: 1 << 4,
  frequency: 1 << 8,
  crash: 1 << 10,
  stimerDirect: 1 << 19,
} as const;

/** [TLFS] RECOMMENDATIONS, EAX. */
const Recommendation = {
  remoteTlbFlush: 1 << 2,
  apicMsrs: 1 << 3,
  relaxedTiming: 1 << 5,
  clusterIpi: 1 << 10,
  exProcessorMasks: 1 << 11,
} as const;

interface Bits {
  readonly access?: number;
  readonly feature?: number;
  readonly recommendation?: number;
}

/** Bits of each enlightenment. */
const BITS: Readonly<Record<CpuConfig["hyperv"][number], Bits>> = {
  relaxed: { recommendation: Recommendation.relaxedTiming },
  vapic: { access: Access.apic, recommendation: Recommendation.apicMsrs },
  time: { access: Access.timeRefCount | Access.referenceTsc },
  vpindex: { access: Access.vpIndex },
  runtime: { access: Access.vpRuntime },
  crash: { feature: Feature.crash },
  reset: { access: Access.reset },
  frequencies: { access: Access.frequency, feature: Feature.frequency },
  reenlightenment: { access: Access.reenlightenment },
  "xmm-input": { feature: Feature.xmmInput },
  synic: { access: Access.synic },
  stimer: { access: Access.stimer },
  "stimer-direct": { feature: Feature.stimerDirect },
  tlbflush: { recommendation: Recommendation.remoteTlbFlush | Recommendation.exProcessorMasks },
  ipi: { recommendation: Recommendation.clusterIpi | Recommendation.exProcessorMasks },
};

/** Spinlock retries before a guest tells us: never. */
const NEVER_NOTIFY = 0xffff_ffff;

/** Whether the guest is shown Hyper-V. */
export function showsHyperv({ cpu }: Pick<ResolvedConfig, "cpu">): boolean {
  return cpu.hyperv.length > 0 || cpu.hypervSpinlocks !== undefined;
}

/**
 * Hyper-V's leaves for a guest; `supported` is KVM_GET_SUPPORTED_HV_CPUID's answer, empty where there is none.
 *
 * @throws VmmError CONFIG naming an enlightenment that the host cannot give
 */
export function hypervCpuid(cpu: CpuConfig, supported: readonly CpuidEntry[]): readonly CpuidEntry[] {
  const host = (leaf: number): CpuidEntry => supported.find((entry) => entry.function === leaf) ?? blank(leaf);
  const [hostFeatures, hostRecommendations] = [host(FEATURES), host(RECOMMENDATIONS)];
  if (supported.length === 0)
    throw refusal(cpu.hyperv[0] ?? "spinlocks", "this host's KVM is no Hyper-V to its guests");
  let access: number = Access.hypercall;
  let feature: number = Feature.dynamicPartitioning;
  let recommendation = 0;
  for (const name of cpu.hyperv) {
    const bits = BITS[name];
    const able =
      includes(hostFeatures.eax, bits.access) &&
      includes(hostFeatures.edx, bits.feature) &&
      includes(hostRecommendations.eax, bits.recommendation);
    if (!able) throw refusal(name, "this host's KVM cannot give it to the guest");
    access |= bits.access ?? 0;
    feature |= bits.feature ?? 0;
    recommendation |= bits.recommendation ?? 0;
  }
  return [
    { ...blank(BASE), eax: LIMITS, ...VENDOR },
    { ...blank(INTERFACE), eax: HV_1 },
    { ...host(VERSION), flags: 0 },
    { ...blank(FEATURES), eax: access, edx: feature },
    { ...blank(RECOMMENDATIONS), eax: recommendation, ebx: cpu.hypervSpinlocks ?? NEVER_NOTIFY },
    { ...host(LIMITS), flags: 0 },
  ];
}

function blank(leaf: number): CpuidEntry {
  return { function: leaf, index: 0, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0 };
}

function includes(offered: number, wanted = 0): boolean {
  return (offered & wanted) === wanted;
}

function refusal(name: string, reason: string): VmmError {
  const path = name === "spinlocks" ? "cpu.hypervSpinlocks" : `cpu.hyperv.${name}`;
  return new VmmError("CONFIG", `${path}: ${reason}`, { path, reason });
}
