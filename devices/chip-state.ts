/**
 * A chip's registers as plain, versioned data: how every chip is saved and restored.
 *
 * All state of a chip sits in a few typed arrays of the shared arena; saved, it is their words one after the other.
 * A chip that changes what a word means raises its version.
 */
import { VmmError } from "../shared/errors.js";

export interface ChipState {
  readonly version: number;
  readonly words: readonly number[];
}

type ChipWords =
  | Int32Array<SharedArrayBuffer>
  | Uint32Array<SharedArrayBuffer>
  | Uint8Array<SharedArrayBuffer>
  | Float64Array<SharedArrayBuffer>;

/** Gives each name its index: `words(["irr", "imr"])` is `{ irr: 0, imr: 1 }`. */
export function words<const Names extends readonly string[]>(names: Names): { readonly [N in Names[number]]: number } {
  return Object.fromEntries(names.map((name, index) => [name, index])) as { [N in Names[number]]: number };
}

export function saveChip(version: number, ...arrays: readonly ChipWords[]): ChipState {
  return { version, words: arrays.flatMap((array) => Array.from(array)) };
}

/** @throws VmmError STATE when `state` is not what `saveChip()` of this version and shape gave */
export function restoreChip(state: ChipState, version: number, ...arrays: readonly ChipWords[]): void {
  const size = arrays.reduce((total, array) => total + array.length, 0);
  const usable =
    state.version === version &&
    Array.isArray(state.words) &&
    state.words.length === size &&
    state.words.every((word) => Number.isFinite(word));
  if (!usable) {
    throw new VmmError("STATE", "Cannot restore a chip: the saved state has another version or shape", {
      version: state.version,
      expectedVersion: version,
      expectedWords: size,
    });
  }
  let next = 0;
  for (const array of arrays) {
    array.set(state.words.slice(next, next + array.length));
    next += array.length;
  }
}

/** A chip made of parts that save themselves: their states one after the other, each behind its version and length. */
export function joinStates(version: number, parts: readonly ChipState[]): ChipState {
  return { version, words: parts.flatMap((part) => [part.version, part.words.length, ...part.words]) };
}

/**
 * Gives each part what {@link joinStates} took of it, in the same order.
 *
 * @throws VmmError STATE when `state` does not consist of that many states, before any is restored
 */
export function restoreParts(state: ChipState, version: number, parts: readonly ((part: ChipState) => void)[]): void {
  const states: ChipState[] = [];
  const list = state.version === version && Array.isArray(state.words) ? (state.words as readonly number[]) : [];
  let next = 0;
  while (next < list.length) {
    const [partVersion = 0, length = 0] = list.slice(next, next + 2);
    if (!Number.isSafeInteger(length) || length < 0) break;
    states.push({ version: partVersion, words: list.slice(next + 2, next + 2 + length) });
    next += 2 + length;
  }
  if (states.length !== parts.length || next !== list.length) {
    throw new VmmError("STATE", "Cannot restore a chip: the saved state has another version or shape", {
      version: state.version,
      expectedVersion: version,
      expectedParts: parts.length,
    });
  }
  states.forEach((part, index) => parts[index]?.(part));
}
