/**
 * exit-scaling: what two vCPUs that write to a port at once spend on an exit, by what one alone does. 0.5 is a monitor whose
 * exits scale with vCPUs, 1 one that lets a single vCPU at its devices at a time.
 *
 * Both boot the same guest by its PVH note; the second vCPU is there, and halted, while the first is timed.
 */
import { compare, type LocalBenchmark } from "./benchmark.js";
import { cyclesOf } from "./guest-report.js";
import { bindings, qemu, requireGuest, WITHOUT_XEN, xenolith } from "./monitors.js";
import { PORT_LOOP_EXIT } from "./port-image.js";
import { type Program, run } from "./process.js";

const ITERATIONS = 20_000;

export const exitScaling: LocalBenchmark = {
  name: "exit-scaling",
  async run({ rounds, hasQemu }) {
    const append = `pio-out pio-out-all iterations=${ITERATIONS} serial debug-exit`;
    const args = ["-smp", "2", "-serial", "stdio", "-kernel", requireGuest("bench.elf"), "-append", append];
    const timed = (program: Program) => async (): Promise<number> => {
      const { stdout } = await run(program, PORT_LOOP_EXIT);
      return cyclesOf(stdout, "pio-out-all") / cyclesOf(stdout, "pio-out");
    };
    const [binding] = bindings();
    const result = await compare("exit-scaling", "x", rounds, {
      ours: timed(xenolith(binding, WITHOUT_XEN, args)),
      qemu: hasQemu() ? timed(qemu(args)) : undefined,
    });
    // Exits per second of two, by those of one.
    return { ...result, inverse: { name: "speedup", numerator: 1 } };
  },
};
