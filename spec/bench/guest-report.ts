/** The report of guests/bench/main.c: `tsc-hz <n>`, and `bench <name> <iterations> <cycles>` for each benchmark. */
import { BenchError } from "./errors.js";

/** TSC cycles an iteration took. @throws BenchError when the guest did not report `name` */
export function cyclesOf(output: string, name: string): number {
  for (const [, reported, iterations, cycles] of output.matchAll(/^bench (\S+) (\d+) (\d+)\r?$/gm)) {
    const each = Number(cycles) / Number(iterations);
    if (reported === name && Number.isFinite(each)) return each;
  }
  throw new BenchError(`The guest reported no ${name}: ${JSON.stringify(output.slice(-500))}`);
}

/** Nanoseconds an iteration took. @throws BenchError when the guest did not report `name`, or what a cycle is */
export function nanosecondsOf(output: string, name: string): number {
  const hertz = Number(/^tsc-hz (\d+)\r?$/m.exec(output)?.[1]);
  if (!(hertz > 0)) throw new BenchError(`The guest reported no tsc-hz: ${JSON.stringify(output.slice(-500))}`);
  return (cyclesOf(output, name) / hertz) * 1e9;
}
