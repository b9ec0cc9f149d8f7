/** What an input drew, number by number: by that it is had again, as it was or changed here and there. */
import { randomSource } from "../../shared/random.js";
import { Draw } from "./draw.js";

export type Choices = readonly number[];

/** The most that one change takes out, puts in or draws anew. */
const MOST_CHANGED = 32;

/** Draws `choices` again, as far as each is one of those that there are, then by `seed`; and keeps what it drew. */
export class RecordedDraw extends Draw {
  readonly choices: Choices;

  constructor(choices: Choices, seed: number) {
    const fresh = randomSource(seed);
    const drawn: number[] = [];
    super((limit) => {
      const before = choices[drawn.length];
      const choice = before === undefined || limit <= 0 ? fresh(limit) : before % limit;
      drawn.push(choice);
      return choice;
    });
    this.choices = drawn;
  }
}

/** `choices` with some drawn anew, taken out, or put in from `others`. */
export function changed(choices: Choices, others: Choices, draw: Draw): Choices {
  let result = [...choices];
  for (let left = 1 + draw.below(4); left > 0; left--) {
    const at = draw.below(result.length + 1);
    const count = 1 + draw.below(draw.oneIn(3) ? MOST_CHANGED : 3);
    const kind = draw.below(6);
    if (kind === 0) result = result.slice(0, at);
    else if (kind === 1) result.splice(at, count);
    else if (kind === 2) {
      const from = draw.below(others.length + 1);
      result.splice(at, draw.oneIn(2) ? count : 0, ...others.slice(from, from + count));
    } else if (kind === 3) result.splice(at, 0, ...result.slice(at, at + count));
    else {
      const anew = Array.from({ length: count }, () => (draw.oneIn(2) ? draw.below(8) : draw.word()));
      result.splice(at, count, ...anew);
    }
  }
  return result;
}
