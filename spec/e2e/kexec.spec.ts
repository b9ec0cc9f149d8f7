/**
 * A Linux guest that goes over to another kernel by kexec: it shuts its Xen side down with SHUTDOWN_soft_reset, and the next
 * kernel finds Xen as at power-on, and the disk as the first one left it.
 *
 * [SCHED] xen.git xen/include/public/sched.h
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { guestInitrd } from "../testbed/guest-image.js";
import { guestProgram } from "../testbed/guest-program.js";
import { guestKernel } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { troubleIn } from "./main-job.js";

const WHOLE_MS = 600_000;
const COMMAND_LINE = "console=ttyS0 loglevel=4 second";

const FIRST = `
yes first | head -c 65536 | dd of=/dev/xvda bs=64k conv=fsync 2>/dev/null
echo "== first $(uname -r)"
/kexec /vmlinuz /initrd2 "${COMMAND_LINE}"
poweroff -f
`;
const SECOND = `
grep -q second /proc/cmdline && echo "== second $(uname -r)"
echo "== read $(dd if=/dev/xvda bs=64k count=1 2>/dev/null | uniq -c | tr -s ' ')"
yes second | head -c 65536 | dd of=/dev/xvda bs=64k conv=fsync 2>/dev/null && echo "== written"
poweroff -f
`;

describe("A Linux guest that starts another kernel by kexec", function () {
  const booted = testbedOfSuite();

  for (const transport of ["kernel", "userspace"]) {
    it(`goes on with the next one under Xen, with the same disk, ${transport} transport`, async function () {
      this.timeout(WHOLE_MS);
      const kernel = await guestKernel("trixie", console.log);
      const run = await runLinux(booted.testbed, {
        kernel,
        smp: 2,
        script: FIRST,
        files: {
          "/kexec": await guestProgram("kexec"),
          "/vmlinuz": await readFile(kernel.vmlinuz),
          "/initrd2": await guestInitrd({ kernel, script: SECOND }),
        },
        append: "loglevel=4",
        scratchDiskMiB: 16,
        vmmOptions: ["--accel", `kvm,xen-transport=${transport}`],
        timeoutMs: WHOLE_MS,
      });
      const said = run.console;
      for (const line of [`== first ${kernel.version}`, `== second ${kernel.version}`]) {
        assert.ok(said.includes(`\n${line}\n`), said);
      }
      // 65536 bytes of "first\n" are 10922 lines and a piece of one.
      assert.match(said, /^== read {2}10922 first/m);
      assert.match(said, /^== written$/m);
      assert.deepEqual(troubleIn(said), []);
      assert.deepEqual([run.code, run.stderr], [0, ""]);
    });
  }
});
