/** Xen beside Hyper-V, which KVM plays: a guest of ours finds both on either transport, and Linux takes Xen. */
import assert from "node:assert/strict";
import { guestKernel } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { troubleIn } from "./main-job.js";

/** For one run, on a host that has other things to do. */
const RUN_MS = 420_000;
/** All that there is but reenlightenment, which a host without nested guests may lack. */
const CPU =
  "host,hv-relaxed,hv-vapic,hv-time,hv-vpindex,hv-runtime,hv-crash,hv-reset,hv-frequencies,hv-synic,hv-stimer," +
  "hv-tlbflush,hv-ipi,hv-spinlocks=0x1fff";
const SCRIPT = `
dd if=/dev/xvda of=/dev/null bs=64k count=32 iflag=direct 2>/dev/null && echo "== read"
echo "== clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "== type $(cat /sys/hypervisor/type)"
poweroff -f
`;

describe("Xen beside Hyper-V", function () {
  const booted = testbedOfSuite({ cpus: 1 });

  for (const transport of ["kernel", "userspace"]) {
    it(`has leaves, MSRs and hypercalls in their places, ${transport} transport`, async function () {
      this.timeout(RUN_MS);
      const options = `--smp 2 --transport ${transport} --cpu ${CPU} --timeout ${RUN_MS / 1000}`;
      const groups = "--group cpuid --group hyperv --group callback";
      const { code, stdout, stderr } = await booted.testbed.run(
        `node dist/bundle/xenolith.js selftest ${options} ${groups}`,
        { timeoutMs: RUN_MS },
      );
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
      assert.match(stdout, /CPUID leaves at 0x40000100/);
      assert.equal(stdout.match(/^ok .* hyperv: /gm)?.length, 4, stdout);
    });
  }

  it("is Xen to Linux", async function () {
    this.timeout(RUN_MS);
    const { code, console: output } = await runLinux(booted.testbed, {
      kernel: await guestKernel("trixie"),
      append: "loglevel=7",
      scratchDiskMiB: 8,
      script: SCRIPT,
      vmmOptions: ["--cpu", "host,hv-relaxed,hv-vapic,hv-time"],
    });
    assert.match(output, /Hypervisor detected: Xen HVM$/m, output);
    assert.match(output, /^== read\n== clock xen\n== type xen$/m, output);
    assert.deepEqual(troubleIn(output), []);
    assert.equal(code, 0);
  });
});
