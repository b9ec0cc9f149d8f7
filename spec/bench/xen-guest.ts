/**
 * hypercall-*, evtchn-send-*, timer-latency, poll-wake, ipi-storm-*: what guests/bench/main.c measures from inside a Xen guest.
 *
 * One boot measures all names of a number of vCPUs. QEMU leaves hypercalls and events to KVM's Xen support, which a local KVM
 * need not have and the testbed's has: there the same guest runs under both.
 */
import { relative } from "node:path";
import { PROJECT } from "../support/project.js";
import { PROGRAMS } from "../testbed/linux-guest.js";
import { Testbed } from "../testbed/testbed.js";
import { BenchError } from "./errors.js";
import { nanosecondsOf } from "./guest-report.js";
import { bindings, GUEST_OPTIONS, requireGuest, WITH_XEN, xenolith } from "./monitors.js";
import { XEN_NAMES, type XenName } from "./options.js";
import { run } from "./process.js";
import type { Result } from "./report.js";
import { interleave, summarize } from "./statistics.js";

/** Of a hypercall; what takes longer does fewer. */
const LOCAL_ITERATIONS = 5000;
const TESTBED_ITERATIONS = 2000;
const TIMEOUT_MS = 240_000;

/** What a time for each IPI comes to, of all vCPUs together. */
const IPIS_PER_SECOND = { name: "perSecond", numerator: 1e9 };

/** Names that need more than one vCPU. */
const VCPUS: Readonly<Partial<Record<XenName, number>>> = {
  "evtchn-send-other": 2,
  "poll-wake": 2,
  "ipi-storm-2": 2,
  "ipi-storm-4": 4,
};

/** Boots the guest with so many vCPUs and this command line; what it prints. */
type Boot = (vcpus: number, append: string) => Promise<string>;

/** The guest knows one storm, of all the vCPUs that it has. */
function nameInGuest(name: XenName): string {
  return name.replace(/^(ipi-storm)-\d+$/, "$1");
}

/** On this host's KVM, without a peer. */
export async function runXenBenchmarks(names: readonly XenName[], rounds: number): Promise<readonly Result[]> {
  const kernel = requireGuest("bench.elf");
  const [binding] = bindings();
  const ours: Boot = async (vcpus, append) => {
    const args = ["-smp", String(vcpus), "-serial", "stdio", "-kernel", kernel, "-append", append];
    return (await run(xenolith(binding, WITH_XEN, args), 0)).stdout;
  };
  return measure(names, { rounds, iterations: LOCAL_ITERATIONS, boots: new Map([["ours", ours]]) });
}

/** In the testbed, beside QEMU. @throws TestbedError when there is no testbed on this host */
export async function runXenBenchmarksInTestbed(
  names: readonly XenName[],
  rounds: number,
  log: (line: string) => void,
): Promise<readonly Result[]> {
  await using testbed = await Testbed.start({ log });
  const kernel = relative(PROJECT, requireGuest("bench.elf"));
  const boot =
    (program: string): Boot =>
    async (vcpus, append) => {
      const options = [...GUEST_OPTIONS, "-accel", WITH_XEN, "-smp", vcpus, "-serial", "stdio", "-kernel", kernel];
      // By isa-debug-exit: in Xen mode, QEMU 10.0 crashes when its guest has powered off.
      const command = `${program} ${options.join(" ")} -append "${append} debug-exit" </dev/null`;
      const { stdout, stderr } = await testbed.run(command, { timeoutMs: TIMEOUT_MS });
      if (stdout === "") throw new BenchError(`${program}: the guest reported nothing:\n${stderr.slice(-2000)}`);
      return stdout;
    };
  const boots = new Map([
    ["ours", boot(PROGRAMS.xenolith)],
    ["qemu", boot(PROGRAMS.qemu)],
  ] as const);
  return await measure(names, { rounds, iterations: TESTBED_ITERATIONS, boots });
}

interface Plan {
  readonly rounds: number;
  readonly iterations: number;
  readonly boots: ReadonlyMap<"ours" | "qemu", Boot>;
}

async function measure(names: readonly XenName[], plan: Plan): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const vcpus of [1, 2, 4]) {
    const together = names.filter((name) => (VCPUS[name] ?? 1) === vcpus);
    if (together.length > 0) results.push(...(await measureTogether(together, vcpus, plan)));
  }
  return results.sort((a, b) => XEN_NAMES.indexOf(a.name as XenName) - XEN_NAMES.indexOf(b.name as XenName));
}

async function measureTogether(
  names: readonly XenName[],
  vcpus: number,
  { rounds, iterations, boots }: Plan,
): Promise<readonly Result[]> {
  const append = [...names.map(nameInGuest), `iterations=${iterations}`, "serial"].join(" ");
  const variants = [...boots].map(([label, boot]) => [label, () => boot(vcpus, append)] as const);
  const outputs = await interleave(rounds, new Map(variants));
  return names.map((name) => {
    const of = (label: "ours" | "qemu"): Result["value"] =>
      summarize((outputs.get(label) ?? []).map((output) => nanosecondsOf(output, nameInGuest(name))));
    return {
      name,
      unit: "ns",
      value: of("ours"),
      peer: boots.has("qemu") ? of("qemu") : undefined,
      others: new Map(),
      ...(name.startsWith("ipi-storm") ? { inverse: IPIS_PER_SECOND } : {}),
    };
  });
}
