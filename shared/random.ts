/** Pseudo-random numbers by a seed: the same sequence everywhere. */

/**
 * Mulberry32 (T. Ettinger, public domain): a counter, mixed.
 *
 * @returns a function that gives a whole number from 0 to `limit` - 1
 */
export function randomSource(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}
