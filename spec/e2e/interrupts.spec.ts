/**
 * How a Linux guest takes its events and the interrupts of a virtio disk, by what it is told of its APIC and allowed to use;
 * and what it makes of its topology.
 */
import assert from "node:assert/strict";
import { guestKernel } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { InterruptCounts, troubleIn } from "./main-job.js";

const GUEST_MS = 420_000;
const DISK = "/tmp/interrupts.img";
/**
 * What the kernel has to say that is less than an error stays off the console, where it would break lines. Reads so much that
 * a disk without interrupts would take minutes of timeouts. Each character takes a slow host milliseconds, in the guest's
 * interrupt: after half a minute of them, as for all rows of four vCPUs, Linux finds that an RCU grace period has stalled.
 */
const SCRIPT = `
echo 4 >/proc/sys/kernel/printk
dd if=/dev/vda of=/dev/null bs=64k count=32 iflag=direct 2>/dev/null && echo "== read"
echo "== clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "== slop $(grep -m1 -A6 'Clock Event Device: xen' /proc/timer_list | grep -o 'min_delta_ns: *[0-9]*')"
echo "== interrupts"
grep -E "virtio0|timer|xen-(dyn|pirq|platform)" /proc/interrupts | tr -s " "
echo "== topology"
cd /sys/devices/system/cpu
for cpu in cpu[0-9]*; do echo "$cpu $(cat $cpu/topology/physical_package_id $cpu/topology/core_id $cpu/topology/thread_siblings_list | tr '\\n' ' ')"; done
grep -m1 "model name" /proc/cpuinfo
echo "== end"
poweroff -f
`;

/** A guest's processor, its command line, and rows of /proc/interrupts that must have counted, or must not be there. */
interface Variant {
  readonly title: string;
  readonly cpu?: string;
  readonly append: string;
  readonly rows: readonly RegExp[];
  readonly absent?: readonly RegExp[];
  readonly output?: RegExp;
}

const PIRQ_MESSAGES = /xen-pirq\s+\d*-msi-x\s+virtio0-req\.0$/;
/** Some kernels name the line's number before the dash. */
const PIRQ_LINE = /xen-pirq\s+\d*-ioapic-level\s+virtio0$/;
const MESSAGES = /PCI-MSIX-0000:00:03\.0\s.*virtio0-req\.0$/;
const XEN = /xen-(percpu|dyn|pirq)/;

/** Each kernel parameter with and without a virtual APIC, as far as that makes a difference. One vCPU. */
const VARIANTS: readonly Variant[] = [
  {
    title: "as PIRQs of its messages, by the vector, with xen_timer_slop",
    append: "xen_timer_slop=250000",
    rows: [PIRQ_MESSAGES, /xen-percpu\s.*timer0$/],
    // A message of the kernel's may end the line.
    output: /^== slop min_delta_ns: *250000(?!\d)/m,
  },
  {
    title: "as PIRQs with noapic",
    append: "noapic pci=nomsi",
    rows: [/xen-pirq.*\svirtio0$/, /xen-percpu\s.*timer0$/],
  },
  {
    title: "by the platform device's line with xen_no_vector_callback",
    append: "xen_no_vector_callback",
    rows: [/IO-APIC\s.*fasteoi\s+xen-platform-pci$/, /virtio0/],
  },
  {
    title: "by the line of a 8259 with xen_no_vector_callback and noapic",
    append: "xen_no_vector_callback noapic",
    rows: [/XT-PIC\s.*xen-platform-pci$/, /virtio0/],
  },
  {
    title: "by the platform device's line, and messages to the APIC, with xen_no_vector_callback and a virtual APIC",
    cpu: "host,+xen-vapic",
    append: "xen_no_vector_callback",
    rows: [/IO-APIC\s.*fasteoi\s+xen-platform-pci$/, MESSAGES],
  },
  { title: "as a PC's with nopv", append: "nopv", rows: [MESSAGES, /timer/], absent: [XEN] },
  {
    title: "as a PC's with xen_nopv and noapic",
    append: "xen_nopv noapic",
    rows: [MESSAGES, /XT-PIC\s+timer$/],
    absent: [XEN],
  },
];

interface Outcome {
  readonly output: string;
  readonly interrupts: InterruptCounts;
  readonly table: string;
  /** A line for each CPU: its package, core and thread siblings. */
  readonly topology: readonly string[];
  readonly modelName: string;
}

/** With it Linux has no clock of Xen's, as without Xen; but then it may use a PIT. */
const WITHOUT_XENS_CLOCK = "xen_no_vector_callback";

describe("interrupts of a Linux guest", function () {
  const booted = testbedOfSuite({ cpus: 1 });
  /** A busy emulated host lets no guest measure it. Then each look at the clock is an exit, and a tick may take longer than one. */
  let tsc = "";

  before("makes a disk, and asks how fast the TSC is", async function () {
    this.timeout(GUEST_MS);
    const { testbed } = booted;
    const { code, stdout } = await testbed.run(`truncate --size 16M ${DISK} && dmesg | grep "tsc: Detected"`);
    assert.equal(code, 0);
    const [, mhz] = /tsc: Detected ([\d.]+) MHz/.exec(stdout) ?? [];
    assert(mhz !== undefined, stdout);
    tsc = `tsc=reliable tsc_early_khz=${Math.round(Number(mhz) * 1000)}`;
  });

  async function run(cpu: string, smp: string, append: string): Promise<Outcome> {
    const { code, console: output } = await runLinux(booted.testbed, {
      kernel: await guestKernel("trixie"),
      append: `loglevel=5 xen_emul_unplug=never ${append} ${append.includes(WITHOUT_XENS_CLOCK) ? tsc : ""}`.trim(),
      modules: ["virtio_pci", "virtio_blk"],
      script: SCRIPT,
      vmmOptions: [
        ...["--cpu", cpu, "--smp", smp],
        ...["--drive", `file=${DISK},if=none,id=v,format=raw`, "--device", "virtio-blk-pci,drive=v"],
      ],
    });
    assert.match(output, /^== read$/m, output);
    assert.equal(code, 0);
    assert.deepEqual(troubleIn(output), []);
    const table = /== interrupts\n([^]*?)== topology/.exec(output)?.[1] ?? "";
    // The kernel's own messages may come between the lines.
    const topology = [...output.matchAll(/^cpu\d .*\S/gm)].map(([line]) => line);
    const [modelName = ""] = /^model name.*$/m.exec(output) ?? [];
    return { output, interrupts: new InterruptCounts(table), table, topology, modelName };
  }

  it("come as messages to its local APIC when that is said to be virtual", async function () {
    this.timeout(GUEST_MS);
    const { interrupts, table, topology, modelName } = await run(
      "host,+xen-vapic",
      "4,sockets=1,cores=2,threads=2",
      "",
    );
    assert.ok(interrupts.of(MESSAGES) > 0, table);
    assert.deepEqual(topology, ["cpu0 0 0 0-1", "cpu1 0 0 0-1", "cpu2 0 1 2-3", "cpu3 0 1 2-3"]);
    assert.match(modelName, /^model name\s*: \S/);
  });

  it("come as PIRQs of its line where it may not use messages", async function () {
    this.timeout(GUEST_MS);
    const { interrupts, table, topology } = await run("host", "3,sockets=3", "pci=nomsi");
    assert.ok(interrupts.of(PIRQ_LINE) > 0, table);
    assert.deepEqual(topology, ["cpu0 0 0 0", "cpu1 1 0 1", "cpu2 2 0 2"]);
  });

  for (const { title, cpu = "host", append, rows, absent = [], output: said } of VARIANTS) {
    it(`come ${title}`, async function () {
      this.timeout(GUEST_MS);
      const { output, interrupts, table } = await run(cpu, "1", append);
      for (const row of rows) assert.ok(interrupts.of(row) > 0, `${String(row)}\n${table}`);
      for (const row of absent) assert.equal(interrupts.of(row), 0, `${String(row)}\n${table}`);
      if (said !== undefined) assert.match(output, said);
    });
  }
});
