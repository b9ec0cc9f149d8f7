/** The main job: a Linux guest mounts ext4 on its Xen PV disk, checks what it finds there, writes, syncs and powers off. */
import { createHash } from "node:crypto";
import { checkDisk, guestDisk, readFromDisk } from "../testbed/guest-image.js";
import type { GuestKernel } from "../testbed/kernels.js";
import { type LinuxRun, runLinux } from "../testbed/linux-guest.js";
import type { Testbed } from "../testbed/testbed.js";

export interface MainJob {
  readonly kernel: GuestKernel;
  readonly smp: number;
  /** Host path of the disk to make. */
  readonly disk: string;
  /** Added to the kernel's command line. */
  readonly append?: string;
  /** Added to the launcher's. */
  readonly vmmOptions?: readonly string[];
}

export interface MainJobResult extends LinuxRun {
  /** Host path of the disk, as the guest left it. */
  readonly disk: string;
  /** Whether the guest's init came to its end. What it found is in files: the kernel's messages cut its words on the console. */
  readonly done: boolean;
  /** A file that the guest left on the disk. */
  file(name: string): Promise<string>;
}

/** Sizes in MiB. What is given and what is written both need many indirect requests. */
const DISK_SIZE = 48;
const GIVEN_SIZE = 3;
const LAST_NUMBER = 600_000;

/** A file that the guest finds on its disk: bytes that no compression or mix-up of sectors leaves alike. */
export function givenFile(): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index < GIVEN_SIZE * 1024; index += 1) {
    const digest = createHash("sha512").update(String(index)).digest();
    blocks.push(Buffer.concat(Array<Buffer>(1024 / digest.length).fill(digest)));
  }
  return Buffer.concat(blocks);
}

/** What the guest makes with `seq`: some MiB of lines, no two alike. */
export function writtenFile(): Buffer {
  return Buffer.from(Array.from({ length: LAST_NUMBER }, (_, index) => `${index + 1}\n`).join(""));
}

export function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Reads back what it wrote after dropping its page cache, so that the data goes through the disk twice. */
const SCRIPT = `
sum() { sha256sum "$1" | cut -d' ' -f1; }
mount -t ext4 /dev/xvda /mnt || { echo "== failed mount"; poweroff -f; }
sum /mnt/given.bin > /mnt/given.sum
seq 1 ${LAST_NUMBER} > /mnt/written.txt
echo "from $(uname -r)" > /mnt/small.txt
sync
echo 3 > /proc/sys/vm/drop_caches
sum /mnt/written.txt > /mnt/written.sum
cat /proc/interrupts > /mnt/interrupts.txt
cat /sys/devices/system/clocksource/clocksource0/current_clocksource > /mnt/clocksource.txt
cat /sys/hypervisor/type /sys/hypervisor/guest_type > /mnt/hypervisor.txt
grep -c ^processor /proc/cpuinfo > /mnt/processors.txt
dmesg -r > /mnt/dmesg.txt
umount /mnt
sync
echo "== done"
poweroff -f
`;

export async function runMainJob(testbed: Testbed, job: MainJob): Promise<MainJobResult> {
  const { disk } = job;
  await guestDisk({ path: disk, sizeMiB: DISK_SIZE, files: { "given.bin": givenFile() } });
  const run = await runLinux(testbed, { ...job, script: SCRIPT });
  return {
    ...run,
    disk,
    done: run.console.includes("== done"),
    file: async (name) => (await readFromDisk(disk, name)).toString(),
  };
}

/** @throws TestbedError with what is wrong with the guest's file system. */
export async function checkFileSystem(result: MainJobResult): Promise<void> {
  await checkDisk(result.disk);
}

/** How often each interrupt came on all CPUs together, by the words that describe it in /proc/interrupts. */
export class InterruptCounts {
  readonly #rows: readonly { readonly label: string; readonly counts: readonly number[]; readonly text: string }[];

  constructor(table: string) {
    this.#rows = table.split("\n").flatMap((line) => {
      const [, label, numbers = "", text = ""] = /^\s*(\w+):((?:\s+\d+)+)(.*)$/.exec(line) ?? [];
      return label === undefined ? [] : [{ label, counts: numbers.trim().split(/\s+/).map(Number), text }];
    });
  }

  /** Of all rows with that label, or with a description that matches. */
  of(what: string | RegExp): number {
    return this.#rows
      .filter(({ label, text }) => (typeof what === "string" ? label === what : what.test(text)))
      .reduce((sum, { counts }) => sum + counts.reduce((all, one) => all + one, 0), 0);
  }
}

/** In a healthy guest's log nothing of this is to be found. The kernel's WARNINGs on SRSO are advice ("See https://…"). */
const TROUBLE =
  /Call Trace|WARNING: (?!See |kernel not compiled with CPU_SRSO)|\bBUG\b|Oops|panic|soft lockup|hung task|detected stalls?|unchecked MSR|I\/O error|EXT4-fs (error|warning)|wrong operation|nobody cared/;

export function troubleIn(log: string): readonly string[] {
  return log.split("\n").filter((line) => TROUBLE.test(line) && !/^[^:]*(Kernel c|C)ommand line:/.test(line));
}
