/** Features of `--cpu`; those of Hyper-V's interface, `hv-NAME`, go by themselves. */
import type { MachineConfig } from "../../index.js";
import { didYouMean, usageError } from "../usage.js";
import { parseFlag, parseInteger } from "./settings.js";
import type { Item } from "./settings.js";

type CpuConfig = NonNullable<MachineConfig["cpu"]>;
type Enlightenment = NonNullable<CpuConfig["hyperv"]>[number];

const ENLIGHTENMENTS: readonly Enlightenment[] = [
  "relaxed",
  "vapic",
  "time",
  "vpindex",
  "runtime",
  "crash",
  "reset",
  "frequencies",
  "reenlightenment",
  "xmm-input",
  "synic",
  "stimer",
  "stimer-direct",
  "tlbflush",
  "ipi",
];
const SPINLOCKS = "hv-spinlocks";

/**
 * Takes `hv-NAME` (also `hv_NAME`, `+hv-NAME`, `hv-NAME=on`) and `hv-spinlocks=N` out of a CPU's items.
 *
 * @throws UsageError on an enlightenment that there is not; switched off, any may be named
 */
export function hypervFeatures(items: readonly Item[]): {
  readonly hyperv: Pick<CpuConfig, "hyperv" | "hypervSpinlocks">;
  readonly others: readonly Item[];
} {
  const isHyperv = ({ key }: Item): boolean => /^[+-]?hv[-_]/.test(key);
  const on = new Map<Enlightenment, boolean>();
  let hypervSpinlocks: number | undefined;
  for (const { key, value } of items.filter(isHyperv)) {
    const plain = key.replaceAll("_", "-");
    if (plain === SPINLOCKS && value !== undefined) {
      hypervSpinlocks = parseInteger(value);
      if (hypervSpinlocks === undefined) throw usageError(`--cpu ${key}`, `must be a whole number, not '${value}'`);
      continue;
    }
    const [name, wanted] = feature(plain, value);
    const known = ENLIGHTENMENTS.find((candidate) => `hv-${candidate}` === name);
    if (known !== undefined) on.set(known, wanted);
    else if (wanted) {
      const hint = didYouMean(name.slice(3), ENLIGHTENMENTS);
      throw usageError(`--cpu ${key}`, `there is no such enlightenment of Hyper-V's${hint}`);
    }
  }
  const hyperv = [...on].flatMap(([name, wanted]) => (wanted ? [name] : []));
  return { hyperv: { hyperv, hypervSpinlocks }, others: items.filter((item) => !isHyperv(item)) };
}

/** A feature's name, and whether it is wanted. */
export function feature(key: string, value: string | undefined): [string, boolean] {
  const signed = /^([+-])(.*)$/s.exec(key);
  if (signed !== null && value === undefined) return [signed[2] ?? "", signed[1] === "+"];
  const flag = parseFlag(value ?? "on");
  if (flag === undefined) throw usageError(`--cpu ${key}`, `must be on or off, not '${value ?? ""}'`);
  return [key, flag];
}
