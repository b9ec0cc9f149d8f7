/**
 * Sockets, cores and threads: APIC ids with bits of their own for each, and the CPUID leaves that tell a guest of them and
 * of who shares a cache.
 *
 * [CPUID] Intel SDM volume 2A, CPUID; AMD64 APM volume 3, appendix E.
 */
import type { CpuidEntry } from "./host/vcpu.js";

export interface Topology {
  readonly cores: number;
  readonly threads: number;
}

/** Bits of an APIC id that number the threads of a core, and the cores of a socket. */
export interface ApicShifts {
  readonly thread: number;
  readonly core: number;
}

const SIGNIFICANT_INDEX = 1;
/** Leaf 1 EDX: the count of logical processors in EBX means something. */
const HTT = 1 << 28;
/** Leaf 0x80000001 ECX, AMD: several logical processors in the package are cores, or threads of one. */
const CMP_LEGACY = 1 << 1;
/** EBX of leaf 0 of those who count cores there: "Auth", "Hygo". */
const AMD_VENDORS: ReadonlySet<number> = new Set([0x6874_7541, 0x6f67_7948]);
/** Leaves 4 and 0x8000001d: type of cache in bits 4:0, 0 at the end of the list; level in 7:5; sharing in 25:14. */
const CACHE_TYPE = 0x1f;
const CACHE_KEPT = 0x3fff;
/** A cache of this level, or above, is the package's; those below are a core's. */
const PACKAGE_CACHE_LEVEL = 3;
/** Level types of leaf 0xb, in ECX. */
const LevelType = { thread: 1 << 8, core: 2 << 8 } as const;

export function apicShifts({ cores, threads }: Topology): ApicShifts {
  const thread = Math.ceil(Math.log2(threads));
  return { thread, core: thread + Math.ceil(Math.log2(cores)) };
}

interface Place {
  readonly socket: number;
  readonly core: number;
  readonly thread: number;
}

/** Where vCPU `index` is: threads of a core come first, then cores of a socket. */
function placeOf(index: number, { cores, threads }: Topology): Place {
  return {
    thread: index % threads,
    core: Math.floor(index / threads) % cores,
    socket: Math.floor(index / (threads * cores)),
  };
}

/** APIC id of vCPU `index`: socket, core and thread each in their own bits. */
export function apicIdOf(index: number, topology: Topology): number {
  const { thread: threadShift, core: coreShift } = apicShifts(topology);
  const { socket, core, thread } = placeOf(index, topology);
  return socket * 2 ** coreShift + core * 2 ** threadShift + thread;
}

/** Whether a processor with these leaves is AMD's, or of its kind. */
export function isAmd(entries: readonly CpuidEntry[]): boolean {
  return AMD_VENDORS.has(entries.find((entry) => entry.function === 0)?.ebx ?? 0);
}

/** The leaves of vCPU `index`: the host's, with the guest's topology. */
export function topologyLeaves(
  entries: readonly CpuidEntry[],
  topology: Topology,
  index: number,
): readonly CpuidEntry[] {
  const basic = entries.find((entry) => entry.function === 0);
  const amd = isAmd(entries);
  const result = entries.flatMap((entry) => leafOf(entry, { topology, index, amd }));
  // Guests in x2APIC mode take their id from there, whatever the host has.
  if ((basic?.eax ?? 0) < 0xb || entries.some((entry) => entry.function === 0xb)) return result;
  return [...result, ...levels(0xb, topology, index)];
}

interface Processor {
  readonly topology: Topology;
  /** The vCPU's number. */
  readonly index: number;
  readonly amd: boolean;
}

function leafOf(entry: CpuidEntry, { topology, index, amd }: Processor): readonly CpuidEntry[] {
  const { cores, threads } = topology;
  const shifts = apicShifts(topology);
  const logical = cores * threads;
  const apicId = apicIdOf(index, topology);
  switch (entry.function) {
    case 1: {
      const count = logical > 1 ? logical : 0;
      const ebx = ((entry.ebx & 0xffff) | ((count & 0xff) << 16) | ((apicId & 0xff) << 24)) >>> 0;
      return [{ ...entry, ebx, edx: withBit(entry.edx, HTT, logical > 1) }];
    }
    case 4: {
      if ((entry.eax & CACHE_TYPE) === 0) return [entry];
      // Ids that there could be, used or not, as guests derive shifts from them.
      const coreIds = 2 ** (shifts.core - shifts.thread);
      const sharing = isPackageCache(entry.eax) ? 2 ** shifts.core : 2 ** shifts.thread;
      return [{ ...entry, eax: ((entry.eax & CACHE_KEPT) | ((sharing - 1) << 14) | ((coreIds - 1) << 26)) >>> 0 }];
    }
    case 0xb:
    case 0x1f:
      return entry.index === 0 ? levels(entry.function, topology, index) : [];
    case 0x8000_0001:
      return amd ? [{ ...entry, ecx: withBit(entry.ecx, CMP_LEGACY, logical > 1) }] : [entry];
    case 0x8000_0008:
      return [{ ...entry, ecx: ((shifts.core << 12) | (logical - 1)) >>> 0 }];
    case 0x8000_001d: {
      if ((entry.eax & CACHE_TYPE) === 0) return [entry];
      const sharing = isPackageCache(entry.eax) ? logical : threads;
      return [{ ...entry, eax: ((entry.eax & CACHE_KEPT) | ((sharing - 1) << 14)) >>> 0 }];
    }
    case 0x8000_001e: {
      const { socket, core } = placeOf(index, topology);
      // One node a socket.
      return [{ ...entry, eax: apicId, ebx: ((threads - 1) << 8) | core, ecx: socket, edx: 0 }];
    }
    case 0x8000_0026:
      // The host's own levels, in a form of their own: leaf 0xb says the same of the guest.
      return [];
    default:
      return [entry];
  }
}

function isPackageCache(eax: number): boolean {
  return ((eax >>> 5) & 7) >= PACKAGE_CACHE_LEVEL;
}

/** Leaf 0xb, and 0x1f: threads of a core, logical processors of a package, and the end. */
function levels(leaf: number, topology: Topology, index: number): readonly CpuidEntry[] {
  const { cores, threads } = topology;
  const shifts = apicShifts(topology);
  const edx = apicIdOf(index, topology);
  const level = (at: number, eax: number, ebx: number, type: number): CpuidEntry => ({
    function: leaf,
    index: at,
    flags: SIGNIFICANT_INDEX,
    eax,
    ebx,
    ecx: type | at,
    edx,
  });
  return [
    level(0, shifts.thread, threads, LevelType.thread),
    level(1, shifts.core, cores * threads, LevelType.core),
    level(2, 0, 0, 0),
  ];
}

function withBit(value: number, bit: number, on: boolean): number {
  return (on ? value | bit : value & ~bit) >>> 0;
}
