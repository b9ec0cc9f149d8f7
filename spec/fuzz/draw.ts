/** Random inputs by a seed: bytes, and numbers among which those at edges are frequent. */
import { randomSource } from "../../shared/random.js";

/** Ends of ranges, words and pages. */
const EDGES = [0, 1, 2, 3, 7, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

export class Draw {
  /** A whole number from 0 to `limit` - 1. */
  readonly below: (limit: number) => number;

  /** By a seed, or by what gives whole numbers from 0 to `limit` - 1. */
  constructor(source: number | ((limit: number) => number)) {
    this.below = typeof source === "number" ? randomSource(source) : source;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  of<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new RangeError("There is nothing to draw from");
    return value;
  }

  /** 32 bits: an edge, a small number, or anything. */
  word(): number {
    const kind = this.below(4);
    if (kind === 0) return this.of(EDGES);
    if (kind === 1) return this.below(64);
    return ((this.below(0x1_0000) * 0x1_0000 + this.below(0x1_0000)) & (kind === 2 ? 0xffff : -1)) >>> 0;
  }

  bytes(most: number): Uint8Array {
    return Uint8Array.from({ length: this.below(most + 1) }, () => this.below(256));
  }

  /** `sample` with some bytes changed, cut off, or put in. */
  mutated(sample: Uint8Array): Uint8Array {
    let mutant = Uint8Array.from(sample);
    for (let left = 1 + this.below(6); left > 0; left--) {
      const at = this.below(Math.min(mutant.length, this.oneIn(2) ? 0x300 : Infinity) || 1);
      const kind = this.below(8);
      if (kind === 0) mutant = mutant.slice(0, at);
      else if (kind === 1)
        mutant = Uint8Array.from([...mutant.subarray(0, at), ...this.bytes(32), ...mutant.subarray(at)]);
      else if (kind < 5) mutant.fill(this.of([0, 1, 0x7f, 0x80, 0xff, this.below(256)]), at, at + 1 + this.below(8));
      else if (at + 4 <= mutant.length) new DataView(mutant.buffer).setUint32(at, this.word(), true);
    }
    return mutant;
  }
}
