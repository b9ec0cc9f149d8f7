/** A Linux guest in a testbed, under our launcher or under the peer, from the same files and with the same command line. */
import { randomUUID } from "node:crypto";
import { copyFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { guestInitrd, INIT_REACHED, type InitrdOptions } from "./guest-image.js";
import { CommandTimeout } from "./errors.js";
import { watchSilence } from "./silence.js";
import type { GuestKernel } from "./kernels.js";
import type { RunOptions, RunResult, Testbed } from "./testbed.js";

export type Vmm = "xenolith" | "qemu";

export interface LinuxGuest extends InitrdOptions {
  readonly kernel: GuestKernel;
  /** Xenolith when absent. */
  readonly vmm?: Vmm;
  /** Virtual CPUs; one when absent. */
  readonly smp?: number;
  readonly memoryMiB?: number;
  /** Added to the kernel's command line. `quiet` saves much time: each character on the serial port is an exit. */
  readonly append?: string;
  /** Host path of a disk image, xvda in the guest. It is copied into the testbed's memory, and back when the guest has ended. */
  readonly disk?: string;
  /** Instead of `disk`: an empty xvda of that size, in the testbed's memory and lost afterwards. */
  readonly scratchDiskMiB?: number;
  /** The disk is on IDE, too, as it is when a guest's firmware boots from it. The guest must be told not to unplug it. */
  readonly diskOnIde?: boolean;
  /** Added to the command line. */
  readonly vmmOptions?: readonly string[];
  readonly timeoutMs?: number;
  readonly onOutput?: NonNullable<RunOptions["onOutput"]>;
}

export interface LinuxRun {
  /** The peer's means nothing: in Xen mode, QEMU 10.0 crashes when its guest has powered off. */
  readonly code: number;
  /** What came out of the serial port, with line feeds alone. */
  readonly console: string;
  /** What the VMM had to say. */
  readonly stderr: string;
  /** From the start of the VMM to the first line of init; undefined when the guest did not get that far. */
  readonly secondsToInit: number | undefined;
  /** From the start of the VMM to its end. */
  readonly seconds: number;
}

/** Paths, where the VMM runs. */
export interface GuestFiles {
  readonly kernel: string;
  readonly initrd: string;
  readonly disk: string;
}

/** Paths in the testbed. */
interface InsideFiles extends Omit<GuestFiles, "kernel"> {
  /** The socket of the VMM's monitor. */
  readonly monitor: string;
}

const DEFAULT_MEMORY_MIB = 512;
/** A guest that has the host for itself takes 15 s; one on a host that is overloaded has taken 120 s. */
const DEFAULT_TIMEOUT_MS = 300_000;
/** A guest that says nothing for so long will not say any more: on a busy host, one that loads another kernel has taken 80 s. */
const SILENCE_MS = 120_000;
/**
 * For a guest's command line. An emulated host that is busy may take half a minute where a processor takes milliseconds: Linux
 * is not to find sooner than a silence that a grace period of RCU has stalled.
 */
export const PATIENT_RCU = "rcupdate.rcu_cpu_stall_timeout=100";
/** How much of the console the error of a guest that hangs repeats, in characters. */
const ERROR_TAIL = 3000;
export const PROGRAMS: Readonly<Record<Vmm, string>> = {
  xenolith: "node dist/bundle/xenolith.js",
  qemu: "qemu-system-x86_64",
};

/**
 * Boots a guest and waits for the end of its VMM.
 *
 * @throws CommandTimeout, with the output so far, when that takes longer than `timeoutMs`
 */
export async function runLinux(testbed: Testbed, guest: LinuxGuest): Promise<LinuxRun> {
  const { disk, onOutput } = guest;
  const name = `guest-${randomUUID()}`;
  const shared = join(testbed.share, name);
  const initrd = `${shared}.initrd`;
  const inside = { initrd: `/share/${basename(initrd)}`, disk: `/tmp/${name}.disk`, monitor: `/tmp/${name}.monitor` };
  try {
    await writeFile(initrd, await guestInitrd(guest));
    await putDisk(testbed, guest, shared, inside.disk);
    let initAt: number | undefined;
    let seen = "";
    const start = performance.now();
    const { code, stdout, stderr } = await runUntilEnd(testbed, guest, inside, (stream, data) => {
      if (stream === "stdout" && initAt === undefined) {
        seen += Buffer.from(data).toString("latin1");
        if (seen.includes(INIT_REACHED)) initAt = performance.now();
      }
      onOutput?.(stream, data);
    });
    const end = performance.now();
    if (disk !== undefined) {
      await expectSuccess(testbed, `cp --sparse=always ${inside.disk} /share/${name}`);
      await copyFile(shared, disk);
    }
    return {
      code,
      console: stdout.replaceAll("\r", ""),
      stderr,
      secondsToInit: initAt === undefined ? undefined : (initAt - start) / 1000,
      seconds: (end - start) / 1000,
    };
  } finally {
    await rm(initrd, { force: true });
    await rm(shared, { force: true });
    await testbed.run(`rm -f ${inside.disk} ${inside.monitor}`);
  }
}

async function runUntilEnd(
  testbed: Testbed,
  guest: LinuxGuest,
  inside: InsideFiles,
  onOutput: NonNullable<RunOptions["onOutput"]>,
): Promise<RunResult> {
  const { vmm = "xenolith", kernel, smp = 1, timeoutMs = DEFAULT_TIMEOUT_MS } = guest;
  using silence = watchSilence(testbed, PROGRAMS[vmm].split(" ").at(-1) ?? vmm, SILENCE_MS);
  const failed = (how: string, output: Pick<RunResult, "stdout" | "stderr">): CommandTimeout => {
    const said = `${output.stdout.slice(-ERROR_TAIL)}\n${output.stderr.slice(-ERROR_TAIL)}`.trim();
    const what = `Linux ${kernel.version} with ${smp} vCPUs under ${vmm}`;
    return new CommandTimeout(`${what} ${how}. It said last:\n${said}`, output);
  };
  try {
    const result = await testbed.run(linuxCommand(guest, inside), {
      timeoutMs,
      signal: silence.signal,
      onOutput: (stream, data) => {
        silence.broken();
        onOutput(stream, data);
      },
    });
    if (!silence.signal.aborted) return result;
    throw failed(`said nothing for ${SILENCE_MS} ms. The threads of its VMM:\n${silence.threads}`, result);
  } catch (cause) {
    if (!(cause instanceof CommandTimeout) || silence.signal.aborted) throw cause;
    throw failed(`did not end in ${timeoutMs} ms`, cause);
  }
}

/** What either VMM is given to boot such a guest: the README's options. */
export function linuxArguments(guest: Omit<LinuxGuest, "kernel" | "script">, files: GuestFiles): string[] {
  const { smp = 1, memoryMiB = DEFAULT_MEMORY_MIB, append, vmmOptions = [], diskOnIde = false } = guest;
  const hasDisk = guest.disk !== undefined || guest.scratchDiskMiB !== undefined;
  return [
    ...["-M", "pc", "--accel", "kvm,xen-version=0x4000a,kernel-irqchip=split", "--cpu", "host,+xen-vapic"],
    ...["-m", String(memoryMiB), "--smp", String(smp), "--kernel", files.kernel, "--initrd", files.initrd],
    ...["--append", `root=/dev/xvda console=ttyS0 ${PATIENT_RCU}${append === undefined ? "" : ` ${append}`}`],
    ...["--display", "none", "--serial", "mon:stdio"],
    ...(hasDisk ? ["--drive", `file=${files.disk},if=none,id=disk,file.locking=off,format=raw`] : []),
    ...(hasDisk ? ["--device", "xen-disk,drive=disk,vdev=xvda"] : []),
    ...(hasDisk && diskOnIde ? ["--drive", `file=${files.disk},if=ide,index=0,file.locking=off,format=raw`] : []),
    ...vmmOptions,
  ];
}

function linuxCommand(guest: LinuxGuest, inside: InsideFiles): string {
  const files = { ...inside, kernel: `${guest.kernel.insideDirectory}/vmlinuz` };
  const options = ["--monitor", `unix:${inside.monitor},server=on,wait=off`];
  const words = [...linuxArguments(guest, files), ...options].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  return `exec ${PROGRAMS[guest.vmm ?? "xenolith"]} ${words.join(" ")}`;
}

async function putDisk(testbed: Testbed, guest: LinuxGuest, shared: string, inside: string): Promise<void> {
  if (guest.disk !== undefined) {
    await copyFile(guest.disk, shared);
    await expectSuccess(testbed, `cp --sparse=always /share/${basename(shared)} ${inside}`);
  } else if (guest.scratchDiskMiB !== undefined) {
    await expectSuccess(testbed, `truncate --size ${guest.scratchDiskMiB}M ${inside}`);
  }
}

async function expectSuccess(testbed: Testbed, command: string): Promise<void> {
  const { code, stderr } = await testbed.run(command);
  if (code !== 0) throw new Error(`${command} failed with ${code}: ${stderr}`);
}
