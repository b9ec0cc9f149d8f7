/** What several rounds of one measurement come to. */

export interface Summary {
  readonly median: number;
  /** The extremes: how far the host's other business moved the figure. */
  readonly low: number;
  readonly high: number;
}

/** @throws RangeError for no samples, or one that is no number */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const low = sorted[0];
  const high = sorted.at(-1);
  if (low === undefined || high === undefined || !sorted.every(Number.isFinite)) {
    throw new RangeError(`Cannot summarize ${JSON.stringify(samples)}: there must be finite samples`);
  }
  const middle = sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1);
  return { median: middle.reduce((sum, value) => sum + value, 0) / middle.length, low, high };
}

/**
 * Takes a sample of each variant in turn, `rounds` times over (A, B, A, B): whatever disturbs the host for longer than a
 * sample disturbs all variants.
 */
export async function interleave<Variant extends string, Sample>(
  rounds: number,
  variants: ReadonlyMap<Variant, () => Promise<Sample>>,
): Promise<Map<Variant, readonly Sample[]>> {
  const samples = new Map([...variants.keys()].map((variant) => [variant, [] as Sample[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [variant, measure] of variants) samples.get(variant)?.push(await measure());
  }
  return samples;
}
