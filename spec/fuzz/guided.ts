/**
 * Tries inputs of an entrance that are chosen by what code they reach: one that reaches code that none did before is kept,
 * and most others are kept ones with some of their choices changed.
 */
import { ReachedCode } from "./block-coverage.js";
import type { BlockCoverage } from "./block-coverage.js";
import { changed, RecordedDraw } from "./choices.js";
import type { Choices } from "./choices.js";
import { Draw } from "./draw.js";
import type { Entrance } from "./entrance.js";
import { tryTimed } from "./fuzz.js";

/** Inputs between two looks at what ran, which cost as much as many of them: ever more, until looks take little time. */
const LEAST_BATCH = 8;
const MOST_BATCH = 512;
const LOOK_SHARE = 0.2;
/** Of the kept, those that were found last are changed as often as all others. */
const LAST = 8;
/** One input in so many is none of the kept. */
const FRESH = 4;

export interface GuidedFinding {
  /** All that the input drew: no seed repeats it. */
  readonly choices: Choices;
  /** What came of it. */
  readonly error: unknown;
}

/** The code of the project itself, as it is compiled, without what drives it here. */
export function isOwnCode(url: string): boolean {
  return url.includes("/dist/") && !url.includes("/dist/spec/") && !url.includes("/node_modules/");
}

export class GuidedFuzz {
  readonly entrance: Entrance;
  readonly reached = new ReachedCode();
  /** What the inputs drew that reached something new. */
  readonly kept: Choices[] = [];
  /** Inputs tried. */
  inputs = 0;
  #batch = LEAST_BATCH;
  readonly #coverage: BlockCoverage;

  constructor(entrance: Entrance, coverage: BlockCoverage) {
    this.entrance = entrance;
    this.#coverage = coverage;
  }

  /** Until `ms` milliseconds are over, `most` more inputs tried, or one is a finding. */
  async run(seed: number, ms: number, most = Infinity): Promise<GuidedFinding | undefined> {
    const draw = new Draw(seed);
    const until = performance.now() + ms;
    const end = this.inputs + most;
    const first = this.inputs;
    const goesOn = (): boolean => this.inputs < end && (this.inputs === first || performance.now() < until);
    // What others did before.
    this.#coverage.take();
    while (goesOn()) {
      const batch: Choices[] = [];
      const started = performance.now();
      while (batch.length < this.#batch && goesOn()) {
        const input = this.#next(draw);
        const finding = await this.#try(input);
        if (finding !== undefined) return finding;
        batch.push(input.choices);
      }
      const tried = performance.now();
      const runs = this.#coverage.take();
      const share = (performance.now() - tried) / (performance.now() - started);
      if (share > LOOK_SHARE) this.#batch = Math.min(2 * this.#batch, MOST_BATCH);
      const finding = this.reached.lacks(runs) ? await this.#keepOf(batch) : undefined;
      if (finding !== undefined) return finding;
      // What none of them reached again was the world's doing.
      this.reached.add(runs);
    }
    return undefined;
  }

  #next(draw: Draw): RecordedDraw {
    const anew = this.kept.length === 0 || draw.oneIn(FRESH);
    const choices = anew ? [] : changed(this.#someKept(draw), this.#someKept(draw), draw);
    return new RecordedDraw(choices, draw.below(0x1_0000_0000));
  }

  #someKept(draw: Draw): Choices {
    return draw.of(draw.oneIn(2) ? this.kept.slice(-LAST) : this.kept);
  }

  async #keepOf(batch: readonly Choices[]): Promise<GuidedFinding | undefined> {
    for (const choices of batch) {
      const finding = await this.#try(new RecordedDraw(choices, 0));
      if (finding !== undefined) return finding;
      if (this.reached.add(this.#coverage.take()) > 0) this.kept.push(choices);
    }
    return undefined;
  }

  async #try(input: RecordedDraw): Promise<GuidedFinding | undefined> {
    this.inputs++;
    const error = await tryTimed(this.entrance, input);
    return error === undefined ? undefined : { choices: input.choices, error };
  }
}
