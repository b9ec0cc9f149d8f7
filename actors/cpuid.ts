/**
 * What the guest's CPUID says: KVM's supported leaves, with the vCPU's own topology, without any trace of KVM, and with
 * Xen's leaves when Xen is on.
 *
 * [CPUID] Intel SDM volume 2A, CPUID; AMD64 APM volume 3, appendix E.
 */
import type { ResolvedConfig } from "../shared/config.js";
import { vcpuId } from "../shared/brand.js";
import { xenCpuid } from "../xen/cpuid.js";
import { applyFeatures } from "./cpu-features.js";
import type { CpuidEntry } from "./host/vcpu.js";

/** Leaf 1 ECX: a hypervisor is there; the TSC deadline timer, which KVM has but does not list. */
const HYPERVISOR = 1 << 31;
const TSC_DEADLINE = 1 << 24;
/** KVM's own leaves, which a Xen guest must not see. */
const HYPERVISOR_LEAVES = 0x4000_0000;
const HYPERVISOR_LEAVES_END = 0x4001_0000;
const SIGNIFICANT_INDEX = 1;

export interface CpuidInputs {
  readonly config: ResolvedConfig;
  readonly supported: readonly CpuidEntry[];
  readonly vcpu: number;
  readonly apicId: number;
  readonly tscDeadline: boolean;
  readonly tscKhz: number;
  readonly hypercallMsr: number;
}

/** Bits of an APIC id that number the threads of a core, and the cores of a socket. */
export interface ApicShifts {
  readonly thread: number;
  readonly core: number;
}

export function apicShifts({ cores, threads }: { readonly cores: number; readonly threads: number }): ApicShifts {
  const thread = Math.ceil(Math.log2(threads));
  return { thread, core: thread + Math.ceil(Math.log2(cores)) };
}

/** APIC id of vCPU `index`: socket, core and thread each in their own bits. */
export function apicIdOf(index: number, topology: { readonly cores: number; readonly threads: number }): number {
  const { cores, threads } = topology;
  const { thread: threadShift, core: coreShift } = apicShifts(topology);
  const thread = index % threads;
  const core = Math.floor(index / threads) % cores;
  const socket = Math.floor(index / (threads * cores));
  return socket * 2 ** coreShift + core * 2 ** threadShift + thread;
}

/** All leaves of one vCPU. */
export function guestCpuid(inputs: CpuidInputs): readonly CpuidEntry[] {
  const base = inputs.supported
    .filter(({ function: leaf }) => leaf < HYPERVISOR_LEAVES || leaf >= HYPERVISOR_LEAVES_END)
    .flatMap((entry) => withTopology(entry, inputs));
  const features = applyFeatures(base, inputs.config.cpu.features);
  return inputs.config.accel.xenVersion === 0 ? features : [...features, ...xenLeaves(inputs)];
}

function withTopology(entry: CpuidEntry, inputs: CpuidInputs): readonly CpuidEntry[] {
  const { config, apicId } = inputs;
  const { cores, threads } = config.vcpus;
  const shifts = apicShifts(config.vcpus);
  const logical = cores * threads;
  switch (entry.function) {
    case 1: {
      const multi = logical > 1 ? 1 << 28 : 0;
      const ebx = ((entry.ebx & 0xffff) | ((logical & 0xff) << 16) | ((apicId & 0xff) << 24)) >>> 0;
      const ecx = (entry.ecx | HYPERVISOR | (inputs.tscDeadline ? TSC_DEADLINE : 0)) >>> 0;
      return [{ ...entry, ebx, ecx, edx: ((entry.edx & ~(1 << 28)) | multi) >>> 0 }];
    }
    case 4: {
      // Cache parameters: cores per package, and who shares this cache (levels 1 and 2 a core, 3 the package).
      const level = (entry.eax >>> 5) & 7;
      if ((entry.eax & 0x1f) === 0) return [entry];
      const sharing = level === 3 ? logical : threads;
      const eax =
        ((entry.eax & 0x3fff) | ((sharing - 1) << 14) | ((2 ** (shifts.core - shifts.thread) - 1) << 26)) >>> 0;
      return [{ ...entry, eax }];
    }
    case 0xb:
    case 0x1f:
      return entry.index === 0 ? extendedTopology(entry, inputs) : [];
    case 0x8000_0008:
      return [{ ...entry, ecx: ((shifts.core << 12) | (logical - 1)) >>> 0 }];
    case 0x8000_001d: {
      if ((entry.eax & 0x1f) === 0) return [entry];
      const sharing = ((entry.eax >>> 5) & 7) === 3 ? logical : threads;
      return [{ ...entry, eax: ((entry.eax & 0x3fff) | ((sharing - 1) << 14)) >>> 0 }];
    }
    case 0x8000_001e:
      return [{ ...entry, eax: apicId, ebx: ((threads - 1) << 8) | (apicId >>> shifts.thread), ecx: 0 }];
    default:
      return [entry];
  }
}

/** Leaf 0xb: threads of a core, logical processors of a package, and the end. */
function extendedTopology(entry: CpuidEntry, { config, apicId }: CpuidInputs): readonly CpuidEntry[] {
  const { cores, threads } = config.vcpus;
  const shifts = apicShifts(config.vcpus);
  const SMT = 1 << 8;
  const CORE = 2 << 8;
  const level = (index: number, eax: number, ebx: number, type: number): CpuidEntry => ({
    function: entry.function,
    index,
    flags: SIGNIFICANT_INDEX,
    eax,
    ebx,
    ecx: type | index,
    edx: apicId,
  });
  return [level(0, shifts.thread, threads, SMT), level(1, shifts.core, cores * threads, CORE), level(2, 0, 0, 0)];
}

function xenLeaves(inputs: CpuidInputs): readonly CpuidEntry[] {
  const { config, supported, tscKhz } = inputs;
  const { mul, shift } = tscScale(tscKhz);
  const leaves = xenCpuid({
    base: HYPERVISOR_LEAVES,
    xenVersion: config.accel.xenVersion,
    xenVapic: config.cpu.xenVapic,
    vcpuId: vcpuId(inputs.vcpu),
    domid: config.xenDomid,
    hypercallMsr: inputs.hypercallMsr,
    tscKhz,
    tscMul: mul,
    tscShift: shift,
    hostTscKhz: tscKhz,
    // A reset guest counts from 0: no offset.
    tscOffsetLow: 0,
    tscOffsetHigh: 0,
    tscStable: hasBit(supported, 0x8000_0007, "edx", 8),
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
