/** What a benchmark is, and what it is given. */
import type { Result } from "./report.js";
import { interleave, summarize, type Summary } from "./statistics.js";

export interface BenchContext {
  readonly rounds: number;
  /** Whether there is a QEMU to compare with; asked only by those that can be compared. */
  readonly hasQemu: () => boolean;
  /** A folder of our own for images, gone afterwards. */
  readonly folder: string;
}

export interface LocalBenchmark {
  readonly name: string;
  run(context: BenchContext): Promise<Result>;
}

/** What is measured of one program. Only `ours` is always there. */
export interface Variants {
  readonly ours: () => Promise<number>;
  readonly qemu?: (() => Promise<number>) | undefined;
  readonly others?: ReadonlyMap<string, () => Promise<number>>;
}

/** Interleaved rounds of all variants, to a result. */
export async function compare(name: string, unit: string, rounds: number, variants: Variants): Promise<Result> {
  const { ours, qemu, others = new Map<string, () => Promise<number>>() } = variants;
  const all = new Map<string, () => Promise<number>>([["ours", ours], ...others]);
  if (qemu !== undefined) all.set("qemu", qemu);
  const samples = await interleave(rounds, all);
  const summary = (variant: string): Summary => summarize(samples.get(variant) ?? []);
  return {
    name,
    unit,
    value: summary("ours"),
    peer: qemu === undefined ? undefined : summary("qemu"),
    others: new Map([...others.keys()].map((label) => [label, summary(label)])),
  };
}
