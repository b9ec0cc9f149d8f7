/** Tries inputs of an entrance, each by a seed of its own, until time is up or one of them is a finding. */
import { Draw } from "./draw.js";
import type { Entrance } from "./entrance.js";

/** What is a hang: no input may take as long, unless its entrance says so. */
const HANG_MS = 10_000;

export interface FuzzResult {
  readonly name: string;
  /** Inputs tried. */
  readonly inputs: number;
  /** The seed of the input that was a finding, and what came of it. */
  readonly finding: { readonly seed: number; readonly error: unknown } | undefined;
}

/** Input `n` has the seed `seed` + n, so that one can be repeated alone. */
export async function fuzz(entrance: Entrance, seed: number, ms: number, most = Infinity): Promise<FuzzResult> {
  const until = performance.now() + ms;
  let inputs = 0;
  for (; inputs < most && (inputs === 0 || performance.now() < until); inputs++) {
    const own = (seed + inputs) >>> 0;
    const error = await tryTimed(entrance, new Draw(own));
    if (error !== undefined) return { name: entrance.name, inputs: inputs + 1, finding: { seed: own, error } };
  }
  return { name: entrance.name, inputs, finding: undefined };
}

/** One input: what it threw, or that it took too long; undefined when it is no finding. */
export async function tryTimed(entrance: Entrance, draw: Draw): Promise<unknown> {
  const started = performance.now();
  try {
    const tried = entrance.tryOne(draw);
    // Most are done by then, and a turn for each would cost more than they do.
    if (tried !== undefined) await tried;
  } catch (error) {
    return error ?? new Error("It threw nothing");
  }
  const took = performance.now() - started;
  return took > (entrance.hangMs ?? HANG_MS) ? new Error(`It took ${took.toFixed(0)} ms`) : undefined;
}
