/**
 * boot-to-init, disk-throughput, disk-latency-4k, ide-throughput: Debian's kernel with a PV disk under both VMMs, in a testbed.
 *
 * One boot gives them all; the disk is in the testbed's memory, and the guest reads and writes it past its page cache.
 */
import { guestKernel } from "../testbed/kernels.js";
import { DISK_MODULES } from "../testbed/guest-image.js";
import { type LinuxGuest, runLinux, type Vmm } from "../testbed/linux-guest.js";
import { Testbed } from "../testbed/testbed.js";
import { BenchError } from "./errors.js";
import type { Result } from "./report.js";
import { summarize } from "./statistics.js";
import type { TestbedName } from "./options.js";
import { linuxFigures, type LinuxFigures, linuxScript } from "./linux-script.js";

const SUITE = "bookworm";
const DISK_MIB = 128;
const TIMEOUT_MS = 240_000;
const UNITS: Readonly<Record<TestbedName, string>> = {
  "boot-to-init": "s",
  "disk-throughput": "s/GiB",
  "disk-latency-4k": "us",
  "ide-throughput": "s/GiB",
};

/** Calls `done` with each result asked for. @throws TestbedError when there is no testbed on this host */
export async function runLinuxBenchmarks(
  names: readonly TestbedName[],
  rounds: number,
  log: (line: string) => void,
): Promise<readonly Result[]> {
  const kernel = await guestKernel(SUITE, log);
  await using testbed = await Testbed.start({ log });
  const withDisk = names.some((name) => name !== "boot-to-init");
  const guest: LinuxGuest = {
    kernel,
    script: linuxScript(withDisk),
    scratchDiskMiB: DISK_MIB,
    modules: [...DISK_MODULES, "ata_piix", "sd_mod"],
    // Each character on the serial port is an exit: that would be all that there is to see
    append: "quiet xen_emul_unplug=unnecessary",
    diskOnIde: true,
    timeoutMs: TIMEOUT_MS,
  };
  const samples: Record<Vmm, LinuxFigures[]> = { xenolith: [], qemu: [] };
  for (let round = 0; round < rounds; round++) {
    for (const vmm of ["xenolith", "qemu"] as const) {
      samples[vmm].push(await boot(testbed, { ...guest, vmm }, withDisk));
    }
  }
  return names.map((name) => ({
    name,
    unit: UNITS[name],
    value: summarize(samples.xenolith.map((figures) => figures[name])),
    peer: summarize(samples.qemu.map((figures) => figures[name])),
    others: new Map(),
  }));
}

async function boot(testbed: Testbed, guest: LinuxGuest, withDisk: boolean): Promise<LinuxFigures> {
  const { console, stderr, secondsToInit } = await runLinux(testbed, guest);
  if (secondsToInit === undefined) {
    throw new BenchError(`The guest did not reach its init:\n${console.slice(-2000)}${stderr.slice(-2000)}`);
  }
  return linuxFigures(console, secondsToInit, withDisk);
}
