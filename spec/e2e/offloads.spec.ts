/**
 * The kernel transport with less of KVM's Xen support, down to what Linux 5.12 has: the same guests see the same machine.
 * What the host lacks is played by what is switched off, with `xen-offload-…=off`.
 */
import assert from "node:assert/strict";
import { guestKernel } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { InterruptCounts, troubleIn } from "./main-job.js";

/** What has come since Linux 5.12, but for shared-info-hva, which is off unless asked for. */
const OFFLOADS = ["runstate", "evtchn-2level", "evtchn-send", "runstate-update-flag", "pvclock-tsc-unstable"];
/**
 * Groups of the self-test guest that the offloads bear on. Not sched: a KVM that could send events, and is not let, makes a
 * yield of every SCHEDOP_poll by itself.
 */
const GROUPS = ["callback", "evtchn", "ipi", "timer", "runstate", "time"];
const LINUX_5_12 = OFFLOADS.map((name) => `xen-offload-${name}=off`).join(",");

/** For one run, on a host that has other things to do. */
const RUN_MS = 420_000;
const SCRIPT = `
dd if=/dev/xvda of=/dev/null bs=64k count=32 iflag=direct 2>/dev/null && echo "== read"
sleep 0.5
echo "== clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "== interrupts"
grep -E "timer|resched|xen-dyn" /proc/interrupts | tr -s " "
echo "== end"
poweroff -f
`;

describe("the kernel transport with less of KVM's Xen support", function () {
  const booted = testbedOfSuite({ cpus: 1 });

  async function selftest(
    without: readonly string[],
    groups: readonly string[],
    { smp = 2, bits = 64 } = {},
  ): Promise<string> {
    const options = [
      ...["--smp", String(smp), "--bits", String(bits)],
      ...["--transport", "kernel", "--timeout", String(RUN_MS / 1000)],
      ...without.flatMap((name) => ["--without", name]),
      ...groups.flatMap((name) => ["--group", name]),
    ];
    const { code, stdout, stderr } = await booted.testbed.run(
      `node dist/bundle/xenolith.js selftest ${options.join(" ")}`,
      { timeoutMs: RUN_MS },
    );
    const failures = stdout.split("\n").filter((line) => line.startsWith("not ok"));
    assert.deepEqual({ code, failures, stderr }, { code: 0, failures: [], stderr: "" }, stdout.slice(-2000));
    return stdout;
  }

  it("tells of a TSC that is not known to be stable, as Xen does, unless without pvclock-tsc-unstable", async function () {
    this.timeout(2 * RUN_MS);
    // The emulated processor has no invariant TSC.
    assert.match(await selftest([], ["time"]), /TSC that is not known to be stable/);
    // And with one vCPU, whose neighbours are not there.
    assert.match(await selftest(["pvclock-tsc-unstable"], ["time", "timer"], { smp: 1 }), /TSC that is stable/);
  });

  for (const name of OFFLOADS) {
    it(`passes the self-test without ${name}`, async function () {
      this.timeout(RUN_MS);
      await selftest([name], GROUPS);
    });
  }

  it("passes the self-test as on Linux 5.12, without any of them", async function () {
    this.timeout(RUN_MS);
    await selftest(OFFLOADS, GROUPS);
  });

  it("takes a guest for one of 32 bits by the code that places the hypercall page, where KVM would go by EFER", async function () {
    this.timeout(RUN_MS);
    await selftest([], [], { bits: 32 });
  });

  it("boots Debian's 6.12 as on Linux 5.12: events, IPIs, timers by bitmaps and upcalls of ours", async function () {
    this.timeout(RUN_MS);
    const { code, console: output } = await runLinux(booted.testbed, {
      kernel: await guestKernel("trixie"),
      smp: 2,
      append: "loglevel=5",
      scratchDiskMiB: 8,
      script: SCRIPT,
      vmmOptions: ["--accel", `kvm,xen-transport=kernel,${LINUX_5_12}`],
    });
    assert.match(output, /^== read$/m, output);
    assert.match(output, /^== clock xen$/m);
    assert.equal(code, 0);
    assert.deepEqual(troubleIn(output), []);
    const table = /== interrupts\n([^]*?)== end/.exec(output)?.[1] ?? "";
    const interrupts = new InterruptCounts(table);
    for (const kind of [/timer[01]$/, /resched[01]$/, /xen-dyn.*\sblkif$/]) {
      assert.ok(interrupts.of(kind) > 0, `${String(kind)}\n${table}`);
    }
  });
});
