/**
 * A Linux guest that crashes with a crash kernel loaded: xen_hvm_crash_shutdown ends its Xen side by SHUTDOWN_soft_reset,
 * whatever is in flight, and the crash kernel boots in the memory that was kept for it, on the CPU that crashed. It finds the
 * rest as /proc/vmcore, a disk to save that to, and asks HVMOP_get_mem_type about what it reads.
 *
 * [SCHED] xen.git xen/include/public/sched.h
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { temporaryFolder } from "../support/temporary.js";
import { guestInitrd } from "../testbed/guest-image.js";
import { guestProgram } from "../testbed/guest-program.js";
import { guestKernel } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { troubleIn } from "./main-job.js";

/** vCPUs on which it happens. The crash kernel's only CPU is then that one. */
const CRASHES = [
  { cpu: 0, transport: "kernel" },
  { cpu: 1, transport: "kernel" },
  { cpu: 1, transport: "userspace" },
] as const;

const WHOLE_MS = 420_000;
const PAGE = 4096;
const MARKER = "what the first kernel knew ";
const DISK_BYTES = 16 << 20;
const COMMAND_LINE = "console=ttyS0 loglevel=4 nr_cpus=1";
const MODULES = ["xen-blkfront"];

/** Crashes while its disk writes. */
function first(cpu: number): string {
  return `
echo "== first $(uname -r)"
while dd if=/dev/zero of=/dev/xvda bs=64k seek=16 count=128 conv=fsync 2>/dev/null; do :; done &
sleep 1
/kdump crash ${cpu} /vmlinuz /initrd2 "${COMMAND_LINE}" "${MARKER}"
poweroff -f
`;
}

const SECOND = `
echo "== crash kernel $(uname -r) on $(grep -c ^processor /proc/cpuinfo)"
dd if=/proc/vmcore bs=64k count=1 2>/dev/null | grep -a -o 'OSRELEASE=.*\\|CRASHTIME=.*' | sed 's/^/== /'
/kdump read "$(sed 's/.*marked=//' /proc/cmdline)" | dd of=/dev/xvda bs=4k conv=fsync 2>/dev/null && echo "== saved"
poweroff -f
`;

describe("A Linux guest that crashes and has a crash kernel", function () {
  const folder = temporaryFolder();
  const booted = testbedOfSuite();

  for (const { cpu, transport } of CRASHES) {
    it(`on vCPU ${cpu} saves what it knew to its disk, ${transport} transport`, async function () {
      this.timeout(WHOLE_MS);
      const kernel = await guestKernel("trixie", console.log);
      const disk = folder.path(`${transport}${cpu}.img`);
      await writeFile(disk, new Uint8Array(DISK_BYTES));
      const kdump = await guestProgram("kdump");
      const run = await runLinux(booted.testbed, {
        kernel,
        smp: 2,
        memoryMiB: 512,
        disk,
        modules: MODULES,
        script: first(cpu),
        files: {
          "/kdump": kdump,
          "/vmlinuz": await readFile(kernel.vmlinuz),
          "/initrd2": await guestInitrd({ kernel, script: SECOND, modules: MODULES, files: { "/kdump": kdump } }),
        },
        append: "loglevel=4 crashkernel=160M",
        vmmOptions: ["--accel", `kvm,xen-transport=${transport}`],
      });
      const said = run.console;
      for (const line of [
        `== first ${kernel.version}`,
        `== crash kernel ${kernel.version} on 1`,
        `== OSRELEASE=${kernel.version}`,
        "== saved",
      ]) {
        assert.ok(said.includes(`\n${line}\n`), said);
      }
      assert.match(said, /^== CRASHTIME=\d+$/m);
      const saved = (await readFile(disk)).subarray(0, PAGE).toString();
      assert.equal(saved, MARKER.repeat(PAGE / MARKER.length + 1).slice(0, PAGE));
      const since = said.slice(said.lastIndexOf("== init"));
      assert.deepEqual(troubleIn(since), []);
      assert.doesNotMatch(since, /get_mem_type/);
      assert.deepEqual([run.code, run.stderr], [0, ""]);
    });
  }
});
