/** Mistakes on the command line, and what was probably meant. */

/** One line that names the option and what is wrong with it. The launcher prints it and exits with code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** `where` is an option or a setting of one: "--smp", "--drive file". */
export function usageError(where: string, reason: string): UsageError {
  return new UsageError(`${where}: ${reason}`);
}

/** ": did you mean 'x'?", or nothing when no candidate is close enough to be what was meant. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const best = nearest(word, candidates);
  return best === undefined ? "" : `: did you mean '${best}'?`;
}

/** The candidate with the fewest typing mistakes in `word`; the first of equals. */
function nearest(word: string, candidates: Iterable<string>): string | undefined {
  // Longer words are compared as their beginnings: no option is as long, and the cost grows with the product of lengths.
  const typed = word.slice(0, MAX_WORD).toLowerCase();
  let best: string | undefined;
  let bestDistance = 1 + Math.floor(typed.length / 4);
  for (const candidate of candidates) {
    const distance = typingDistance(typed, bare(candidate).toLowerCase());
    if (distance > bestDistance || (distance === bestDistance && best !== undefined)) continue;
    // A one-letter option is near to every other one: only its other case is a likely mistake.
    if (distance >= bare(candidate).length) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

const MAX_WORD = 64;

function bare(candidate: string): string {
  return candidate.replace(/^-+/, "");
}

/** Letters wrong, missing, too many or swapped with their neighbour (optimal string alignment). */
function typingDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
