/** `npm run bench`: Xenolith against QEMU, side by side. docs/performance.md says how each figure is taken. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VmmError } from "../../shared/errors.js";
import { whyNoGuests } from "../support/require-kvm.js";
import { TestbedError } from "../testbed/errors.js";
import type { LocalBenchmark } from "./benchmark.js";
import { BenchError } from "./errors.js";
import { exitScaling } from "./exit-scaling.js";
import { firstInstruction } from "./first-instruction.js";
import { runLinuxBenchmarks } from "./linux.js";
import { memoryOverhead } from "./memory-overhead.js";
import { ensureQemu } from "./monitors.js";
import { type BenchOptions, type LocalName, parseBenchOptions, USAGE } from "./options.js";
import { pioInUnassigned, pioOut } from "./port-access.js";
import { jsonLine, type Result, tableHead, tableRow } from "./report.js";
import { evtchnIpi, hypercall } from "./xen-calls.js";
import { runXenBenchmarks, runXenBenchmarksInTestbed } from "./xen-guest.js";

const LOCAL: Readonly<Record<LocalName, LocalBenchmark>> = {
  "pio-out": pioOut,
  "pio-in-unassigned": pioInUnassigned,
  hypercall,
  "evtchn-ipi": evtchnIpi,
  "first-instruction": firstInstruction,
  "memory-overhead": memoryOverhead,
  "exit-scaling": exitScaling,
};

const FAILED = 1;
const USAGE_ERROR = 2;

async function main(options: BenchOptions): Promise<number> {
  const print = (result: Result): void => {
    process.stdout.write(`${options.json ? jsonLine(result) : tableRow(result)}\n`);
  };
  let code = 0;
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (cause) {
      if (!(cause instanceof BenchError || cause instanceof TestbedError || cause instanceof VmmError)) throw cause;
      log(`bench: ${what}: ${cause.message}`);
      code = FAILED;
    }
  };
  const here = [...options.local, ...(options.xenInTestbed ? [] : options.xen)];
  const reason = here.length === 0 ? undefined : whyNoGuests();
  if (reason !== undefined) {
    log(`bench: ${here.join(", ")}: ${reason}`);
    return FAILED;
  }
  if (!options.json) process.stdout.write(`${tableHead()}\n`);
  if (options.local.length > 0) await runLocal(options, print, attempt);
  if (options.xen.length > 0) {
    await attempt(options.xen.join(", "), async () => {
      const { xen, rounds, testbedRounds } = options;
      const results = options.xenInTestbed
        ? await runXenBenchmarksInTestbed(xen, testbedRounds, log)
        : await runXenBenchmarks(xen, rounds);
      for (const result of results) print(result);
    });
  }
  if (options.testbed.length > 0) {
    await attempt(options.testbed.join(", "), async () => {
      for (const result of await runLinuxBenchmarks(options.testbed, options.testbedRounds, log)) print(result);
    });
  }
  return code;
}

async function runLocal(
  { local, rounds }: BenchOptions,
  print: (result: Result) => void,
  attempt: (what: string, work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "xenolith-bench-"));
  try {
    let qemu: boolean | undefined;
    const hasQemu = (): boolean => (qemu ??= ensureQemu(log));
    for (const name of local) {
      await attempt(name, async () => {
        print(await LOCAL[name].run({ rounds, hasQemu, folder }));
      });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

function optionsOrExit(): BenchOptions {
  try {
    return parseBenchOptions(process.argv.slice(2));
  } catch (cause) {
    if (!(cause instanceof BenchError)) throw cause;
    log(`bench: ${cause.message}`);
    process.exit(USAGE_ERROR);
  }
}

const options = optionsOrExit();
if (options.help) process.stdout.write(USAGE);
else process.exitCode = await main(options);
