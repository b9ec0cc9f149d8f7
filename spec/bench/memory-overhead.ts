/** memory-overhead: what a VMM with one busy guest has resident beyond the guest's RAM, in MiB. */
import { compare, type LocalBenchmark } from "./benchmark.js";
import { bindings, GUEST_MIB } from "./monitors.js";
import { portLoopPrograms } from "./port-access.js";
import { during, type Program } from "./process.js";
import { settledOverhead } from "./resident-memory.js";

const MIB = 1024 * 1024;
/** Hours. */
const ENDLESS = { iterations: 0xffff_ffff, port: 0x80, direction: "out" } as const;

export const memoryOverhead: LocalBenchmark = {
  name: "memory-overhead",
  async run({ rounds, hasQemu, folder }) {
    const programs = await portLoopPrograms(folder, "endless", ENDLESS);
    const [binding] = bindings();
    return compare("memory-overhead", "MiB", rounds, {
      ours: () => overhead(programs.ours(binding)),
      qemu: hasQemu() ? () => overhead(programs.qemu) : undefined,
    });
  },
};

async function overhead(program: Program): Promise<number> {
  return (await during(program, (pid) => settledOverhead(pid, GUEST_MIB * MIB))) / MIB;
}
