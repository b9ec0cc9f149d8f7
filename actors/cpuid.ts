/**
 * What the guest's CPUID says: KVM's supported leaves, with the vCPU's own topology, without any trace of KVM, and with
 * Hyper-V's and Xen's leaves as far as those are on.
 *
 * [CPUID] Intel SDM volume 2A, CPUID; AMD64 APM volume 3, appendix E.
 */
import type { ResolvedConfig } from "../shared/config.js";
import { vcpuId } from "../shared/brand.js";
import { xenCpuid } from "../xen/cpuid.js";
import { applyFeatures } from "./cpu-features.js";
import { topologyLeaves } from "./cpu-topology.js";
import type { CpuidEntry } from "./host/vcpu.js";
import { hypercallMsr, xenCpuidBase } from "./hypercall-msr.js";
import { hypervCpuid, showsHyperv } from "./hyperv-cpuid.js";
import { xsaveLeaf } from "./xsave-leaf.js";

/** Leaf 1 ECX: a hypervisor is there; the TSC deadline timer, which KVM has but does not list. */
const HYPERVISOR = 1 << 31;
const TSC_DEADLINE = 1 << 24;
/** KVM's own leaves, which a Xen guest must not see. */
const HYPERVISOR_LEAVES = 0x4000_0000;
const HYPERVISOR_LEAVES_END = 0x4001_0000;
const SIGNIFICANT_INDEX = 1;
const BRAND_LEAF = 0x8000_0002;
const BRAND_BYTES = 48;

export interface CpuidInputs {
  readonly config: ResolvedConfig;
  readonly supported: readonly CpuidEntry[];
  /** Hyper-V's leaves that KVM can give; looked at when the configuration asks for some. */
  readonly supportedHyperv: readonly CpuidEntry[];
  readonly vcpu: number;
  /** The host processor's name. */
  readonly brand: string;
  readonly tscDeadline: boolean;
  readonly tscKhz: number;
}

/** All leaves of one vCPU. */
export function guestCpuid(inputs: CpuidInputs): readonly CpuidEntry[] {
  const { config, supported, vcpu } = inputs;
  const own = supported.filter(({ function: leaf }) => leaf < HYPERVISOR_LEAVES || leaf >= HYPERVISOR_LEAVES_END);
  const offered = withBrand(own, inputs.brand).map((entry) => withKvmFeatures(entry, inputs.tscDeadline));
  const placed = topologyLeaves(offered, config.vcpus, vcpu);
  const leaves = xsaveLeaf(applyFeatures(placed, config.cpu.features));
  const hyperv = showsHyperv(config) ? hypervCpuid(config.cpu, inputs.supportedHyperv) : [];
  return [...leaves, ...hyperv, ...(config.accel.xenVersion === 0 ? [] : xenLeaves(inputs))];
}

function withKvmFeatures(entry: CpuidEntry, tscDeadline: boolean): CpuidEntry {
  if (entry.function !== 1) return entry;
  return { ...entry, ecx: (entry.ecx | HYPERVISOR | (tscDeadline ? TSC_DEADLINE : 0)) >>> 0 };
}

/** The processor's name: 48 bytes over the registers of three leaves, padded with zeros. */
function withBrand(entries: readonly CpuidEntry[], brand: string): readonly CpuidEntry[] {
  const bytes = new DataView(new ArrayBuffer(BRAND_BYTES));
  for (let i = 0; i < Math.min(brand.length, BRAND_BYTES - 1); i++) bytes.setUint8(i, brand.charCodeAt(i));
  const leaves = [0, 1, 2].map((leaf): CpuidEntry => {
    const [eax = 0, ebx = 0, ecx = 0, edx = 0] = [0, 4, 8, 12].map((at) => bytes.getUint32(leaf * 16 + at, true));
    return { function: BRAND_LEAF + leaf, index: 0, flags: 0, eax, ebx, ecx, edx };
  });
  const isBrand = ({ function: leaf }: CpuidEntry): boolean => leaf >= BRAND_LEAF && leaf < BRAND_LEAF + 3;
  return [...entries.filter((entry) => !isBrand(entry)), ...leaves];
}

function xenLeaves(inputs: CpuidInputs): readonly CpuidEntry[] {
  const { config, supported, tscKhz } = inputs;
  const { mul, shift } = tscScale(tscKhz);
  const leaves = xenCpuid({
    base: xenCpuidBase(config),
    xenVersion: config.accel.xenVersion,
    xenVapic: config.cpu.xenVapic,
    vcpuId: vcpuId(inputs.vcpu),
    domid: config.xenDomid,
    hypercallMsr: hypercallMsr(config),
    tscKhz,
    tscMul: mul,
    tscShift: shift,
    hostTscKhz: tscKhz,
    // A reset guest counts from 0: no offset.
    tscOffsetLow: 0,
    tscOffsetHigh: 0,
    tscStable: hasInvariantTsc(supported),
    rdtscp: hasBit(supported, 0x8000_0001, "edx", 27),
  });
  return leaves.map(({ function: leaf, index, indexed, eax, ebx, ecx, edx }) => ({
    function: leaf,
    index,
    flags: indexed ? SIGNIFICANT_INDEX : 0,
    eax,
    ebx,
    ecx,
    edx,
  }));
}

/** CPUID 0x80000007 EDX bit 8: the TSC keeps its pace in all of the processor's states. */
export function hasInvariantTsc(supported: readonly CpuidEntry[]): boolean {
  return hasBit(supported, 0x8000_0007, "edx", 8);
}

function hasBit(entries: readonly CpuidEntry[], leaf: number, register: "ecx" | "edx" | "ebx", bit: number): boolean {
  const entry = entries.find((candidate) => candidate.function === leaf);
  return entry !== undefined && ((entry[register] >>> bit) & 1) === 1;
}

/** pvclock's way from TSC ticks to nanoseconds: `((tsc << shift) * mul) >> 32`. */
export function tscScale(tscKhz: number): { readonly mul: number; readonly shift: number } {
  if (tscKhz <= 0) return { mul: 0, shift: 0 };
  // Nanoseconds per tick, brought into [0.5, 1) so that it fills 32 bits.
  let ratio = 1e6 / tscKhz;
  let shift = 0;
  for (; ratio >= 1; shift++) ratio /= 2;
  for (; ratio < 0.5; shift--) ratio *= 2;
  return { mul: Math.floor(ratio * 2 ** 32), shift };
}
