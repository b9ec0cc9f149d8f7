/** A PC in a testbed, under our launcher or under the peer, and a dialogue over its console. */
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { quote } from "./arguments.js";
import { runHost } from "./host-command.js";
import { PROGRAMS, type Vmm } from "./linux-guest.js";
import { SerialDialogue } from "./serial-dialogue.js";
import type { Testbed } from "./testbed.js";

export interface PcGuest {
  /** Xenolith when absent. */
  readonly vmm?: Vmm;
  readonly smp?: number;
  readonly memoryMiB?: number;
  /** Puts the guest's console on the terminal: the first serial port when absent. */
  readonly console?: readonly string[];
  /** Drives and whatever else is added to the command line. */
  readonly options: readonly string[];
}

/** A PC that runs. */
export interface PcRun {
  readonly serial: SerialDialogue;
  /** Settles with the VMM's exit code. The peer's means nothing: see linux-guest.ts. */
  readonly ended: Promise<number>;
  /** What the VMM had to say; once it has ended. */
  stderr(): Promise<string>;
  /** Ends it if it has not ended, and waits for that. */
  [Symbol.asyncDispose](): Promise<void>;
}

const DEFAULT_MEMORY_MIB = 1024;
const SERIAL_CONSOLE = ["--serial", "mon:stdio"];
/** Xen's own console, hvc0 in Linux, and no serial port beside it. */
export const PV_CONSOLE = ["--serial", "null", "--chardev", "stdio,id=pv", "--device", "xen-console,chardev=pv"];
const WINDOW = { rows: 25, columns: 80 };

/** A drive that is both xvda and the master of the second IDE channel, as a guest of classic Xen has it. */
export function xenAndIdeDisk(file: string): string[] {
  return [
    ...["--drive", `file=${file},if=none,id=disk,file.locking=off`, "--device", "xen-disk,drive=disk,vdev=xvda"],
    ...["--drive", `file=${file},index=2,media=disk,file.locking=off,if=ide`],
  ];
}

/** Copies a disk to where the testbed sees it. What the guest writes is in the copy. */
export async function shareDisk(testbed: Testbed, disk: string): Promise<{ host: string; inside: string }> {
  const name = `${randomUUID()}.img`;
  const host = join(testbed.share, name);
  await runHost("cp", ["--sparse=always", disk, host]);
  return { host, inside: `/share/${basename(host)}` };
}

export function startPc(testbed: Testbed, guest: PcGuest): PcRun {
  const stderr = `pc-${randomUUID()}.stderr`;
  const words = [...pcArguments(guest)].map(quote).join(" ");
  const command = `exec ${PROGRAMS[guest.vmm ?? "xenolith"]} ${words} 2>/share/${stderr}`;
  const terminal = testbed.terminal(command, WINDOW, (data) => {
    serial.hear(data);
  });
  const serial = new SerialDialogue((data) => {
    terminal.write(data);
  });
  const ended = terminal.exit;
  const endDialogue = (what: string): void => {
    serial.end(`the VMM ended: ${what}`);
  };
  ended.then(
    (code) => {
      endDialogue(`exit code ${code}`);
    },
    (cause: unknown) => {
      endDialogue(String(cause));
    },
  );
  const file = join(testbed.share, stderr);
  return {
    serial,
    ended,
    stderr: async () => await readFile(file, "utf8"),
    async [Symbol.asyncDispose]() {
      terminal.kill();
      await ended.catch(() => undefined);
      await rm(file, { force: true });
    },
  };
}

function pcArguments({
  smp = 1,
  memoryMiB = DEFAULT_MEMORY_MIB,
  console = SERIAL_CONSOLE,
  options,
}: PcGuest): string[] {
  return [
    ...["-M", "pc", "--accel", "kvm,xen-version=0x4000a,kernel-irqchip=split", "--cpu", "host,+xen-vapic"],
    ...["-m", String(memoryMiB), "--smp", String(smp), ...console, "--display", "none"],
    ...options,
  ];
}
