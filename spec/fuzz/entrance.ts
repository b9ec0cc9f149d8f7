/** What the fuzz throws itself at, one small world for each input. */
import type { Draw } from "./draw.js";

export interface Entrance {
  readonly name: string;
  /** One input from beginning to end. Throws when anything else came of it than what is documented. */
  readonly tryOne: (draw: Draw) => void | Promise<void>;
  /** Gives back what the inputs shared; throws when they left something behind. */
  readonly close?: () => Promise<void>;
  /** Milliseconds of which no input may take more, where that is not fuzz.ts's. */
  readonly hangMs?: number;
  /** How the inputs ended, where that can differ. */
  readonly outcomes?: string;
}
