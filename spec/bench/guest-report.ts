/** The report of guests/bench/main.c: `tsc-hz <n>`, and `bench <name> <iterations> <cycles>` for each benchmark. */

/** Nanoseconds an iteration took. @throws RangeError when the guest did not report `name` */
export function nanosecondsOf(output: string, name: string): number {
  const hertz = Number(/^tsc-hz (\d+)\r?$/m.exec(output)?.[1]);
  for (const [, reported, iterations, cycles] of output.matchAll(/^bench (\S+) (\d+) (\d+)\r?$/gm)) {
    const nanoseconds = (Number(cycles) / Number(iterations) / hertz) * 1e9;
    if (reported === name && Number.isFinite(nanoseconds)) return nanoseconds;
  }
  throw new RangeError(`The guest reported no ${name}: ${JSON.stringify(output.slice(-500))}`);
}
