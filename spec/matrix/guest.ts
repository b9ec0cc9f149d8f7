/** One guest of the matrix: what it is, its run, and what is wrong with that. */
import { checkDisk, readFromDisk } from "../testbed/guest-image.js";
import type { GuestKernel, GuestSuite } from "../testbed/kernels.js";
import type { Testbed } from "../testbed/testbed.js";
import {
  givenFile,
  InterruptCounts,
  type MainJobResult,
  runMainJob,
  sha256,
  troubleIn,
  writtenFile,
} from "../e2e/main-job.js";

export const SUITES = ["bookworm", "trixie", "sid"] as const satisfies readonly GuestSuite[];
export const SIZES = [1, 2, 4] as const;
export const TRANSPORTS = ["kernel", "userspace"] as const;
/** As `xen-version` takes them. Linux takes other ways with newer ones: from 4.17 on, an upcall vector for each vCPU. */
export const VERSIONS = ["0x40000", "0x4000a", "0x40011", "0x40013"] as const;

export interface Combination {
  readonly suite: (typeof SUITES)[number];
  readonly smp: number;
  readonly transport: (typeof TRANSPORTS)[number];
  readonly version: (typeof VERSIONS)[number];
}

export interface Verdict {
  /** From the launcher's start to the first line of init. */
  readonly secondsToInit: number | undefined;
  /** To its end. */
  readonly seconds: number;
  /** A line each; none when all is well. */
  readonly problems: readonly string[];
}

/** How much of a console a problem repeats, in characters. */
const TAIL = 600;
/** Only warnings and worse: much of an emulated host's time is what the serial port takes. */
const TERSE = "loglevel=5";

/** @throws TestbedError, for one when the guest does not end */
export async function runGuest(
  testbed: Testbed,
  kernel: GuestKernel,
  { smp, transport, version }: Combination,
  disk: string,
): Promise<Verdict> {
  const vmmOptions = ["--accel", `kvm,xen-transport=${transport},xen-version=${version}`];
  const result = await runMainJob(testbed, { kernel, smp, disk, append: TERSE, vmmOptions });
  const { secondsToInit, seconds } = result;
  if (!result.done) return { secondsToInit, seconds, problems: [`not done: ${result.console.slice(-TAIL)}`] };
  return { secondsToInit, seconds, problems: await problemsOf(result, smp) };
}

async function problemsOf(result: MainJobResult, smp: number): Promise<readonly string[]> {
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  expect(result.code === 0, `exit code ${result.code}`);
  expect(result.stderr === "", result.stderr);
  expect((await result.file("given.sum")).trim() === sha256(givenFile()), "what the disk held was read wrongly");
  expect((await result.file("written.sum")).trim() === sha256(writtenFile()), "what was written was read wrongly");
  await checkDisk(result.disk);
  expect(writtenFile().equals(await readFromDisk(result.disk, "written.txt")), "the image lacks what was written");
  expect((await result.file("hypervisor.txt")) === "xen\nHVM\n", "the hypervisor is not Xen to it");
  expect((await result.file("clocksource.txt")) === "xen\n", "its clock is not Xen's");
  expect((await result.file("processors.txt")) === `${smp}\n`, "it lacks processors");
  const interrupts = new InterruptCounts(await result.file("interrupts.txt"));
  for (let cpu = 0; cpu < smp; cpu += 1) {
    for (const kind of ["timer", ...(smp > 1 ? ["resched", "callfuncsingle"] : [])]) {
      expect(interrupts.of(new RegExp(`xen-percpu\\s.*\\s${kind}${cpu}$`)) > 0, `no event ${kind}${cpu}`);
    }
  }
  return [...problems, ...troubleIn(await result.file("dmesg.txt")), ...troubleIn(result.console)];
}
