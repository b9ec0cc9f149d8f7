/**
 * first-instruction: from the start of the process to the guest's first instruction, in milliseconds.
 *
 * That instruction cannot be seen from outside, but its process can be seen to end: one guest ends its VMM with its first
 * instructions, another reports on the debug console right before it does the same. The time from that report to the end
 * of the process is the way out, which the first guest's run has, too, and which is taken off.
 */
import { compare, type LocalBenchmark } from "./benchmark.js";
import { BenchError } from "./errors.js";
import { bindings } from "./monitors.js";
import { portLoopPrograms } from "./port-access.js";
import { PORT_LOOP_EXIT } from "./port-image.js";
import { type Program, run } from "./process.js";

/** Busy until every thread of a VMM is up, a quarter of a second or more. */
const BUSY = { iterations: 30_000, port: 0x80, direction: "out" } as const;
const AT_ONCE = { iterations: 1, port: 0x80, direction: "none" } as const;

export const firstInstruction: LocalBenchmark = {
  name: "first-instruction",
  async run({ rounds, folder, hasQemu }) {
    const [binding] = bindings();
    const atOnce = await portLoopPrograms(folder, "at-once", AT_ONCE);
    const busy = await portLoopPrograms(folder, "busy", BUSY);
    return compare("first-instruction", "ms", rounds, {
      ours: timeToStart(atOnce.ours(binding), busy.ours(binding)),
      qemu: hasQemu() ? timeToStart(atOnce.qemu, busy.qemu) : undefined,
      others: new Map([
        ["to the end of our process", async () => (await run(atOnce.ours(binding), PORT_LOOP_EXIT)).exitMs],
      ]),
    });
  },
};

/** Of one VMM. The way out is the shortest seen so far: a disturbance of it must not be taken off another run's time. */
function timeToStart(atOnce: Program, busy: Program): () => Promise<number> {
  let wayOut = Number.POSITIVE_INFINITY;
  return async () => {
    const reported = await run(busy, PORT_LOOP_EXIT);
    if (reported.outputMs === undefined) throw new BenchError(`${busy.file}: the guest reported nothing`);
    wayOut = Math.min(wayOut, reported.exitMs - reported.outputMs);
    return (await run(atOnce, PORT_LOOP_EXIT)).exitMs - wayOut;
  };
}
