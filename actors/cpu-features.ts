/** CPUID features to be switched on or off by name, with `--cpu host,+name,-name`. */
import { VmmError } from "../shared/errors.js";
import type { ErrorDetails } from "../shared/errors.js";
import { ABSENT_FEATURES, FEATURE_ALIASES, FEATURE_WORDS } from "./cpu-feature-names.js";
import type { FeatureWord } from "./cpu-feature-names.js";
import type { CpuidEntry } from "./host/vcpu.js";

const BITS = new Map<string, { readonly word: FeatureWord; readonly bit: number }>(
  FEATURE_WORDS.flatMap((word) =>
    word.names.split(" ").flatMap((name, bit) => (name === "-" ? [] : [[name, { word, bit }] as const])),
  ),
);

/** What QEMU may be told about features, and is always so here: they are checked, and refused when not there. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["check", "enforce", "migratable"]);

/** The performance monitoring unit is leaves of its own. */
const PMU = "pmu";
const PMU_LEAVES: ReadonlySet<number> = new Set([0xa, 0x8000_0022]);

/** Bits of leaf 1 EDX that AMD repeats in leaf 0x80000001 EDX. */
const REPEATED_ON_AMD = 0x0183_f3ff;
const AMD_EXTENDED = 0x8000_0001;

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
  const plain = given.replaceAll("_", "-");
  const name = FEATURE_ALIASES[plain] ?? plain;
  if (WITHOUT_EFFECT.has(name)) return entries;
  if (name === PMU) return setPmu(entries, on);
  const place = BITS.get(name);
  if (place === undefined) {
    const absent = ABSENT_FEATURES.find(([start]) => start.test(name));
    if (absent === undefined) {
      throw refusal(given, "there is no such CPU feature", { given, known: [...BITS.keys()].join(" ") });
    }
    if (on) throw refusal(given, `cannot be switched on: ${absent[1]}`);
    return entries;
  }
  const { word, bit } = place;
  const mask = (1 << bit) >>> 0;
  const entry = entries.find(({ function: leaf, index }) => leaf === word.leaf && index === word.index);
  const present = entry !== undefined && (entry[word.register] & mask) !== 0;
  if (on && !present) throw refusal(given, "this host cannot give it to the guest");
  if (on) return entries;
  const repeated = word.leaf === 1 && word.register === "edx" && (mask & REPEATED_ON_AMD) !== 0;
  return entries.map((candidate) => {
    if (candidate === entry) return { ...candidate, [word.register]: (candidate[word.register] & ~mask) >>> 0 };
    if (repeated && candidate.function === AMD_EXTENDED) return { ...candidate, edx: (candidate.edx & ~mask) >>> 0 };
    return candidate;
  });
}

function setPmu(entries: readonly CpuidEntry[], on: boolean): readonly CpuidEntry[] {
  const present = entries.some(({ function: leaf, eax }) => PMU_LEAVES.has(leaf) && eax !== 0);
  if (on && !present) throw refusal(PMU, "this host cannot give it to the guest");
  return on ? entries : entries.filter((entry) => !PMU_LEAVES.has(entry.function));
}

function refusal(feature: string, reason: string, details: ErrorDetails = {}): VmmError {
  const path = `cpu.features.${feature}`;
  return new VmmError("CONFIG", `${path}: ${reason}`, { ...details, path, reason });
}
