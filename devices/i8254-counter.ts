/**
 * What an 8254 counter shows `ticks` clocks after its count was loaded, in each mode: pure functions of time.
 *
 * [8254] Intel 8254 Programmable Interval Timer, 231164-005, "Mode definitions"
 */

/** Clock of a PC's timer, in Hz: 14.31818 MHz / 12. */
export const CLOCK_HZ = 1_193_182;

/** OUT between the control word and the first clock. */
export function initialOutput(mode: number): 0 | 1 {
  return mode === 0 ? 0 : 1;
}

/** OUT, `count` clocks being one period or delay. */
export function outputAt(mode: number, count: number, ticks: number): 0 | 1 {
  switch (mode) {
    case 0:
    case 1:
      return ticks >= count ? 1 : 0;
    case 2:
      return ticks % count === count - 1 ? 0 : 1;
    case 3:
      return ticks % count < Math.ceil(count / 2) ? 1 : 0;
    default:
      return ticks === count ? 0 : 1;
  }
}

/** The counting element: periodic modes reload, the others run on below zero; the caller cuts to 16 bits or 4 digits. */
export function valueAt(mode: number, count: number, ticks: number): number {
  switch (mode) {
    case 2:
      return count - (ticks % count);
    case 3:
      // Counts by two, twice per period, so that both half periods look alike.
      return count - ((2 * ticks) % count);
    default:
      // The remainder first: after a long time the difference would not be exact any more.
      return count - (ticks % 0x4000_0000);
  }
}

/** Clocks from the start to the `edge`-th rising edge of OUT (1, 2, ...). One-shot modes have one. */
export function risingEdge(mode: number, count: number, edge: number): number {
  switch (mode) {
    case 2:
    case 3:
      return count * edge;
    case 4:
    case 5:
      return count + 1;
    default:
      return count;
  }
}
