/** Debian's kernels as Xen HVM guests of our launcher, end to end: by KVM's own Xen support, and without it. */
import assert from "node:assert/strict";
import { cannotRun } from "../support/cannot-run.js";
import { temporaryFolder } from "../support/temporary.js";
import { ensureEmulator } from "../testbed/emulator.js";
import { TestbedError } from "../testbed/errors.js";
import { checkDisk, guestDisk, readFromDisk } from "../testbed/guest-image.js";
import { guestKernel, type GuestKernel, type GuestSuite } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import {
  givenFile,
  InterruptCounts,
  type MainJobResult,
  runMainJob,
  sha256,
  troubleIn,
  writtenFile,
} from "./main-job.js";

interface Guest {
  readonly suite: GuestSuite;
  /** What `uname -r` begins with. */
  readonly release: string;
  readonly smp: number;
  /** Added to the kernel's command line; not to the first, which has the README's. */
  readonly append?: string;
  /** KVM's own Xen support when absent. */
  readonly transport?: "userspace";
  /** Debian's newest changes from day to day: when it cannot be had, that fails in CI alone. */
  readonly moving?: boolean;
}

/** Only warnings and worse: much of an emulated host's time is what the serial port takes. */
const TERSE = "loglevel=5";

const GUESTS: readonly Guest[] = [
  { suite: "bookworm", release: "6.1.", smp: 1 },
  { suite: "bookworm", release: "6.1.", smp: 2, append: TERSE },
  { suite: "trixie", release: "6.12.", smp: 1, append: TERSE },
  { suite: "trixie", release: "6.12.", smp: 2, append: TERSE },
  { suite: "trixie", release: "6.12.", smp: 2, append: TERSE, transport: "userspace" },
  { suite: "sid", release: "", smp: 2, append: TERSE, moving: true },
  { suite: "bookworm-i386", release: "6.1.", smp: 2, append: TERSE },
];

/** A guest's whole run, on a host that has other things to do; its kernel may have to be fetched first. */
const GUEST_MS = 420_000;

describe("Debian as a Xen HVM guest", function () {
  const folder = temporaryFolder();
  const booted = testbedOfSuite();

  for (const { suite, release, smp, append, transport, moving = false } of GUESTS) {
    describe(`${suite}'s kernel with ${smp} vCPU${smp === 1 ? "" : "s"}, ${transport ?? "kernel"} transport`, () => {
      let result: MainJobResult;
      let log: string;
      let interrupts: InterruptCounts;

      before("runs the guest", async function () {
        this.timeout(GUEST_MS);
        const kernel = await fetched(this, suite, moving);
        if (suite === "bookworm-i386" && !(await emulatesPae())) {
          cannotRun(this, "the testbed's emulator breaks PAE, and the place to mend was not found in it");
        }
        result = await runMainJob(booted.testbed, {
          kernel,
          smp,
          disk: folder.path(`${suite}-${smp}.img`),
          ...(append !== undefined && { append }),
          ...(transport !== undefined && { vmmOptions: ["--accel", `kvm,xen-transport=${transport}`] }),
        });
        if (!result.done) assert.fail(`The guest did not finish:\n${result.console}\n${result.stderr}`);
        log = await result.file("dmesg.txt");
        interrupts = new InterruptCounts(await result.file("interrupts.txt"));
      });

      it("ends with exit code 0 when the guest powers off, and nothing to complain about", () => {
        assert.deepEqual([result.code, result.stderr], [0, ""]);
      });

      it("gives the guest what the disk holds", async () => {
        assert.equal((await result.file("given.sum")).trim(), sha256(givenFile()));
      });

      it("gives the guest back what it wrote", async () => {
        assert.equal((await result.file("written.sum")).trim(), sha256(writtenFile()));
      });

      it("has what the guest wrote in the image, in a clean file system", async () => {
        await checkDisk(result.disk);
        assert.ok(writtenFile().equals(await readFromDisk(result.disk, "written.txt")));
        const small = await result.file("small.txt");
        assert.ok(small.startsWith(`from ${release}`), small);
      });

      it("is Xen to the guest", async () => {
        assert.match(log, /Hypervisor detected: Xen HVM$/m);
        assert.equal(await result.file("hypervisor.txt"), "xen\nHVM\n");
        assert.equal(await result.file("clocksource.txt"), "xen\n");
        assert.equal(await result.file("processors.txt"), `${smp}\n`);
      });

      it("delivers interrupts through event channels", () => {
        for (const kind of ["timer", ...(smp > 1 ? ["resched", "callfuncsingle"] : [])]) {
          for (let cpu = 0; cpu < smp; cpu += 1) {
            const count = interrupts.of(new RegExp(`xen-percpu\\s.*\\s${kind}${cpu}$`));
            assert.ok(count > 0, `${kind}${cpu}: ${count}`);
          }
        }
        for (const description of [/xen-dyn.*\sxenbus$/, /xen-dyn.*\sblkif$/, /xen-pirq.*\sttyS0$/]) {
          assert.ok(interrupts.of(description) > 0, String(description));
        }
        assert.ok(interrupts.of("HYP") > 0);
        assert.equal(interrupts.of("LOC"), 0, "the local APIC's timer is not used");
      });

      it("offers the PV disk flushes, persistent grants and indirect requests", () => {
        const line = /blkfront: xvda: .*$/m.exec(log)?.[0] ?? "";
        assert.match(line, /flush diskcache: enabled; persistent grants: enabled; indirect descriptors: enabled/);
      });

      it("gives the guest nothing to complain about", () => {
        assert.deepEqual(troubleIn(log), []);
        assert.deepEqual(troubleIn(result.console), []);
      });
    });
  }

  it("reboots a guest, which finds its disk again", async function () {
    this.timeout(GUEST_MS);
    const disk = folder.path("reboot.img");
    await guestDisk({ path: disk, sizeMiB: 16 });
    const {
      code,
      console: output,
      stderr,
    } = await runLinux(booted.testbed, {
      kernel: await guestKernel("bookworm"),
      smp: 2,
      disk,
      append: TERSE,
      script: `
        mount -t ext4 /dev/xvda /mnt
        echo "boot" >> /mnt/boots.txt
        boots=$(wc -l < /mnt/boots.txt)
        umount /mnt
        echo "== boot $boots"
        [ "$boots" -lt 3 ] && reboot -f
        poweroff -f
      `,
    });
    assert.deepEqual(output.match(/^== boot.*$/gm), ["== boot 1", "== boot 2", "== boot 3"], output);
    assert.deepEqual([code, stderr], [0, ""]);
    await checkDisk(disk);
    assert.equal((await readFromDisk(disk, "boots.txt")).toString(), "boot\n".repeat(3));
  });
});

async function emulatesPae(): Promise<boolean> {
  return (await ensureEmulator(console.log)).mends.has("POINTER_ACCESS");
}

/** The kernel. Where it may be missing and is, the spec cannot run. */
async function fetched(context: Mocha.Context, suite: GuestSuite, mayBeMissing: boolean): Promise<GuestKernel> {
  try {
    return await guestKernel(suite, (line) => {
      console.log(line);
    });
  } catch (cause) {
    if (!mayBeMissing || !(cause instanceof TestbedError)) throw cause;
    cannotRun(context, cause.message, cause);
  }
}
