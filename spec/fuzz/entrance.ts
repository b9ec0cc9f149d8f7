/** What the fuzz throws itself at, one small world for each input. */
import type { Draw } from "./draw.js";

export interface Entrance {
  readonly name: string;
  /** One input from beginning to end. Throws when anything else came of it than what is documented. */
  readonly tryOne: (draw: Draw) => void;
}
