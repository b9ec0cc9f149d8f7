/**
 * CPUID leaf 0xd after features were taken away: state that no feature uses is not there, and the area is as large as what
 * is left. Otherwise a guest finds components without the instructions that go with them.
 *
 * [CPUID] Intel SDM volume 2A, CPUID leaf 0xd; volume 1, 13.1 "XSAVE-supported features and state-component bitmaps"
 */
import type { CpuidEntry } from "./host/vcpu.js";

type Register = "eax" | "ebx" | "ecx" | "edx";
/** Leaf, index, register and bit of a feature. */
type Feature = readonly [leaf: number, index: number, register: Register, bit: number];

const XSAVE: Feature = [1, 0, "ecx", 26];
/** What each component, by its number, is for. Those without a row are kept as the host has them. */
const COMPONENTS: ReadonlyMap<number, Feature> = new Map([
  [2, [1, 0, "ecx", 28]], // AVX
  [3, [7, 0, "ebx", 14]], // MPX: bounds, and their configuration
  [4, [7, 0, "ebx", 14]],
  [5, [7, 0, "ebx", 16]], // AVX-512: masks, and the registers' upper parts
  [6, [7, 0, "ebx", 16]],
  [7, [7, 0, "ebx", 16]],
  [9, [7, 0, "ecx", 3]], // PKU
  [17, [7, 0, "edx", 24]], // AMX: tiles' configuration and data
  [18, [7, 0, "edx", 24]],
]);
const LEAF = 0xd;
const LAST_LOW = 31;
/** The legacy region and the header, which are always there. */
const BASE_BYTES = 576;

export function xsaveLeaf(entries: readonly CpuidEntry[]): readonly CpuidEntry[] {
  const has = ([leaf, index, register, bit]: Feature): boolean => {
    const entry = entries.find((candidate) => candidate.function === leaf && candidate.index === index);
    return entry !== undefined && ((entry[register] >>> bit) & 1) === 1;
  };
  if (!has(XSAVE)) return entries.filter((entry) => entry.function !== LEAF);
  let missing = 0;
  for (const [component, feature] of COMPONENTS) if (!has(feature)) missing |= 1 << component;
  const kept = entries.filter(({ function: leaf, index }) => leaf !== LEAF || !isMissing(missing, index));
  const size = areaSize(kept);
  return kept.map((entry) => {
    if (entry.function !== LEAF || entry.index !== 0) return entry;
    // EBX is for what XCR0 enables at the moment: KVM keeps it itself.
    return { ...entry, eax: (entry.eax & ~missing) >>> 0, ecx: size };
  });
}

function isMissing(missing: number, index: number): boolean {
  return index >= 2 && index <= LAST_LOW && ((missing >>> index) & 1) === 1;
}

/** Up to the end of the last component that XCR0 can enable: those of XSS, whose ECX says so, are not in this form. */
function areaSize(entries: readonly CpuidEntry[]): number {
  const SUPERVISOR = 1;
  return entries
    .filter(({ function: leaf, index, ecx }) => leaf === LEAF && index >= 2 && (ecx & SUPERVISOR) === 0)
    .reduce((size, { eax, ebx }) => Math.max(size, ebx + eax), BASE_BYTES);
}
