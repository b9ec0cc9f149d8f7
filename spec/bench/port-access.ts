/**
 * pio-out, pio-in-unassigned: what one exit for a port access costs, in nanoseconds, from the guest's side.
 *
 * QEMU and the C loop run the firmware image, ours its twin of the same instructions that is entered as a kernel.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BenchContext, compare, type LocalBenchmark } from "./benchmark.js";
import { guestTscHertz } from "./host-tsc.js";
import { type Binding, bindings, kvmLoop, qemu, requireGuest, WITHOUT_XEN, xenolith } from "./monitors.js";
import { PORT_LOOP_EXIT, portImage, type PortLoop, reportedCycles } from "./port-image.js";
import { type Program, run } from "./process.js";

/** Long enough that compiling our hot loop, which the first thousands pay for, does not show. */
const ITERATIONS = 100_000;
const CONSOLE = ["-debugcon", "stdio"];

export interface PortLoopPrograms {
  ours(binding: Binding): Program;
  readonly qemu: Program;
  /** What the C loop is to run. */
  readonly firmware: string;
}

/** The images of a loop, and who runs them how. The guest reports to standard output. */
export async function portLoopPrograms(folder: string, name: string, loop: PortLoop): Promise<PortLoopPrograms> {
  const make = async (source: string): Promise<string> => {
    const image = join(folder, `${name}-${source}`);
    await writeFile(image, portImage(await readFile(requireGuest(source)), loop));
    return image;
  };
  const kernel = await make("ports.elf");
  const firmware = await make("firmware.bin");
  return {
    ours: (binding) => xenolith(binding, WITHOUT_XEN, [...CONSOLE, "-kernel", kernel]),
    qemu: qemu([...CONSOLE, "-bios", firmware]),
    firmware,
  };
}

async function runPortBenchmark(name: string, loop: PortLoop, context: BenchContext): ReturnType<typeof compare> {
  const programs = await portLoopPrograms(context.folder, name, loop);
  const hertz = guestTscHertz();
  const timed = (program: Program) => async (): Promise<number> => {
    const { stdout } = await run(program, PORT_LOOP_EXIT);
    return (reportedCycles(stdout) / loop.iterations / hertz) * 1e9;
  };
  const [binding, ...slower] = bindings();
  const others = new Map(
    slower.map((other) => [other, timed(programs.ours(other))] as [string, () => Promise<number>]),
  );
  const loopInC = kvmLoop(programs.firmware);
  if (loopInC !== undefined) others.set("C loop", async () => Number((await run(loopInC, 0)).stdout));
  return compare(name, "ns", context.rounds, {
    ours: timed(programs.ours(binding)),
    qemu: context.hasQemu() ? timed(programs.qemu) : undefined,
    others,
  });
}

export const pioOut: LocalBenchmark = {
  name: "pio-out",
  run: (context) => runPortBenchmark("pio-out", { iterations: ITERATIONS, port: 0x80, direction: "out" }, context),
};

/** There is nothing at port 0x300 of either board. */
export const pioInUnassigned: LocalBenchmark = {
  name: "pio-in-unassigned",
  run: (context) =>
    runPortBenchmark("pio-in-unassigned", { iterations: ITERATIONS, port: 0x300, direction: "in" }, context),
};
