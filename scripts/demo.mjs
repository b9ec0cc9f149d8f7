/**
 * `npm run demo`: an unmodified Debian kernel boots as a Xen HVM guest with its root file system on a Xen PV disk, and
 * leaves a file there.
 *
 * On this host's KVM where that can carry Linux, else in a testbed: a throw-away, emulated KVM host (spec/testbed).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { canOpenKvm } from "./host-kvm.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const launcher = join(root, "dist", "bundle", "xenolith.js");
if (!existsSync(launcher)) {
  console.error("demo: the project is not built. Run: npm run build");
  process.exit(1);
}

const { Machine, VmmError } = await import("../dist/index.js");
const { TestbedError } = await import("../dist/spec/testbed/errors.js");
const { guestDisk, guestInitrd, readFromDisk } = await import("../dist/spec/testbed/guest-image.js");
const { guestKernel } = await import("../dist/spec/testbed/kernels.js");
const { linuxArguments, runLinux } = await import("../dist/spec/testbed/linux-guest.js");
const { Testbed } = await import("../dist/spec/testbed/testbed.js");

const SUITE = "trixie";
const VCPUS = 2;
const DISK_MIB = 32;
/** The file that the guest leaves on its disk. */
const LETTER = "/root/letter.txt";
const SIGNATURE = "Yours, process 1";
/** A guest that takes longer has got stuck. */
const GUEST_MS = 300_000;

/** Process 1 in the initrd: hands over to the file system on the PV disk. */
const INITRD_SCRIPT = `
mount -t ext4 /dev/xvda /mnt || { echo "Cannot mount /dev/xvda"; poweroff -f; }
for directory in dev proc sys; do mount --move /$directory /mnt/$directory; done
exec switch_root /mnt /sbin/init
`;

/** Process 1 on the disk. */
const DISK_INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
echo 1 > /proc/sys/kernel/printk
show() { printf '\\n\\033[1m%s\\033[0m\\n' "$1"; }
show "The root file system, on a Xen PV disk:"
grep ' / ext4 ' /proc/mounts
show "The hypervisor, as the guest sees it:"
echo "$(cat /sys/hypervisor/type) $(cat /sys/hypervisor/version/major).$(cat /sys/hypervisor/version/minor), guest type $(cat /sys/hypervisor/guest_type)"
show "Its event channels at work:"
grep -E 'CPU|xen' /proc/interrupts
show "A file from the host:"
cat /root/from-the-host.txt
cat > ${LETTER} <<END
Dear host,

this is Linux $(uname -r) with $(grep -c ^processor /proc/cpuinfo) processors.
I am up for $(cut -d' ' -f1 /proc/uptime) seconds, and my root file system is /dev/xvda.

${SIGNATURE}
END
sync
mount -o remount,ro /
show "All written. Good night!"
poweroff -f
`;

/** Why this host's KVM cannot run an unmodified Linux kernel of today; undefined when it looks as if it can. */
async function reasonAgainstThisHost() {
  if (!canOpenKvm()) return "/dev/kvm is not there or not ours to open";
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" ") ?? [];
  if (!flags.includes("vmx") && !flags.includes("svm")) {
    return "this host's KVM works without the processor's help, which does not carry a whole Linux";
  }
  try {
    const boot = { kernel: join(root, "guests", "build", "hello.elf") };
    const machine = await Machine.create({ boot, accel: { xenVersion: 0x4000a, transport: "kernel" } });
    await machine[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    if (!(error instanceof VmmError) || error.code !== "HOST_UNSUPPORTED") throw error;
    return "this host's KVM has no Xen support, which Linux of today needs to make its hypercalls";
  }
}

function title(text) {
  console.log(`\n\x1b[1;36m== ${text}\x1b[0m`);
}

function commandLine(words) {
  const quoted = words.map((word) => (/^[\w./:=,+-]+$/.test(word) ? word : `"${word}"`));
  return `$ xenolith ${quoted.join(" ").replaceAll(" -", " \\\n    -")}\n`;
}

/** Boots the guest on this host. */
async function runHere(guest, directory) {
  const initrd = join(directory, "initrd.img");
  await writeFile(initrd, await guestInitrd(guest));
  const words = linuxArguments(guest, { kernel: guest.kernel.vmlinuz, initrd, disk: guest.disk });
  console.log(commandLine(words));
  const child = spawn(process.execPath, [launcher, ...words], { stdio: "inherit" });
  const limit = setTimeout(() => child.kill(), GUEST_MS);
  const [code] = await once(child, "close");
  clearTimeout(limit);
  return code;
}

/** Boots the guest in a testbed. */
async function runInTestbed(guest, signal) {
  const testbed = await Testbed.start({ log: console.log, signal });
  const interrupt = () => void testbed[Symbol.asyncDispose]();
  signal.addEventListener("abort", interrupt);
  try {
    const files = { kernel: `${guest.kernel.insideDirectory}/vmlinuz`, initrd: "initrd.img", disk: "disk.img" };
    console.log(commandLine(linuxArguments(guest, files)));
    const onOutput = (stream, data) => process[stream].write(data);
    return (await runLinux(testbed, { ...guest, timeoutMs: GUEST_MS, onOutput })).code;
  } finally {
    signal.removeEventListener("abort", interrupt);
    await testbed[Symbol.asyncDispose]();
  }
}

async function demo(directory, signal) {
  title("A Debian kernel, an initrd and a disk");
  const kernel = await guestKernel(SUITE, console.log);
  const disk = join(directory, "disk.img");
  await guestDisk({
    path: disk,
    sizeMiB: DISK_MIB,
    files: {
      "bin/busybox": readFileSync(kernel.busybox),
      "sbin/init": DISK_INIT,
      "root/from-the-host.txt": "Welcome aboard.\n",
      ...Object.fromEntries(["dev", "proc", "sys"].map((name) => [`${name}/.keep`, ""])),
    },
  });
  console.log(`Linux ${kernel.version} of Debian ${SUITE}, as it comes; ${DISK_MIB} MiB of ext4`);

  const guest = { kernel, smp: VCPUS, disk, script: INITRD_SCRIPT };
  const against = await reasonAgainstThisHost();
  title(against === undefined ? "Xenolith boots it on this host's KVM" : "Xenolith boots it in a testbed");
  if (against !== undefined) console.log(`An emulated KVM host, because ${against}.`);
  const code = against === undefined ? await runHere(guest, directory) : await runInTestbed(guest, signal);
  if (code !== 0) throw new TestbedError(`Xenolith ended with exit code ${code}`);

  title(`The guest has powered off. On its disk it left ${LETTER}:`);
  const letter = (await readFromDisk(disk, LETTER)).toString();
  console.log(`\n${letter}`);
  if (!letter.includes(SIGNATURE)) throw new TestbedError("The letter is not whole");
}

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => interruption.abort());
const directory = await mkdtemp(join(tmpdir(), "xenolith-demo-"));
try {
  await demo(directory, interruption.signal);
} catch (cause) {
  if (interruption.signal.aborted) {
    process.exitCode = 130;
  } else if (cause instanceof TestbedError) {
    console.error(`demo: ${cause.message}`);
    process.exitCode = 1;
  } else {
    throw cause;
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
