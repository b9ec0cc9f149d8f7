/** What the Linux guest does for its figures, and how they are read from its console. */
import { BenchError } from "./errors.js";
import type { TestbedName } from "./options.js";

/** By name: seconds, seconds per GiB, microseconds. Those of a disk that was not used are 0. */
export type LinuxFigures = Readonly<Record<TestbedName, number>>;

const MOVED_MIB = 64;
const SMALL_READS = 200;
/** The PV disk's file is an IDE disk, too. Its driver looks for it on its own time. */
const IDE_DISK = "/dev/sda";

/** Uptime is in hundredths of a second: each part takes long enough for that. */
const DISK_SCRIPT = `stamp() { read -r now rest </proc/uptime; echo "bench-$1 $now"; }
stamp start
dd if=/dev/zero of=/dev/xvda bs=1M count=${MOVED_MIB} oflag=direct 2>/dev/null
dd if=/dev/xvda of=/dev/null bs=1M count=${MOVED_MIB} iflag=direct 2>/dev/null
stamp moved
dd if=/dev/xvda of=/dev/null bs=4k count=${SMALL_READS} iflag=direct 2>/dev/null
stamp read
until [ -b ${IDE_DISK} ]; do sleep 0.1; done
stamp ide-start
dd if=${IDE_DISK} of=/dev/null bs=1M count=${MOVED_MIB} iflag=direct 2>/dev/null
stamp ide-read
`;

export function linuxScript(withDisk: boolean): string {
  return `${withDisk ? DISK_SCRIPT : ""}poweroff -f\n`;
}

/** @throws BenchError when the guest did not say all that it should */
export function linuxFigures(console: string, secondsToInit: number, withDisk: boolean): LinuxFigures {
  const figures = { "boot-to-init": secondsToInit, "disk-throughput": 0, "disk-latency-4k": 0, "ide-throughput": 0 };
  if (!withDisk) return figures;
  const start = stampOf(console, "start");
  const moved = stampOf(console, "moved");
  const read = stampOf(console, "read");
  return {
    ...figures,
    // As much is written as is read
    "disk-throughput": (moved - start) / ((2 * MOVED_MIB) / 1024),
    "disk-latency-4k": ((read - moved) / SMALL_READS) * 1e6,
    "ide-throughput": (stampOf(console, "ide-read") - stampOf(console, "ide-start")) / (MOVED_MIB / 1024),
  };
}

function stampOf(console: string, name: string): number {
  const text = new RegExp(`^bench-${name} (\\d+\\.\\d+)\\r?$`, "m").exec(console)?.[1];
  if (text === undefined)
    throw new BenchError(`The guest has no stamp ${name}: ${JSON.stringify(console.slice(-1000))}`);
  return Number(text);
}
