/** Which pages hold anything: the others are left out of a file, as holes. */

const PAGE = 4096;
const WORDS = PAGE / 4;

/** A run of bytes, counted from the start of what was looked at. */
export interface DataRun {
  readonly offset: number;
  readonly length: number;
}

/** Runs of 4 KiB pages that are not all zero, in order. `words` starts and ends at pages' boundaries. */
export function dataRuns(words: Int32Array): readonly DataRun[] {
  const runs: DataRun[] = [];
  let start = -1;
  for (let at = 0; at < words.length; at += WORDS) {
    const empty = isZero(words, at, Math.min(at + WORDS, words.length));
    if (!empty && start < 0) start = at;
    if (empty && start >= 0) {
      runs.push({ offset: start * 4, length: (at - start) * 4 });
      start = -1;
    }
  }
  if (start >= 0) runs.push({ offset: start * 4, length: (words.length - start) * 4 });
  return runs;
}

function isZero(words: Int32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (words[i] !== 0) return false;
  return true;
}
