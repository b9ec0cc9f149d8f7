/**
 * What each Debian on a partitioned disk is put through, as a PC boots it under Xen: firmware and GRUB through the IDE disk,
 * unplug, the PV disk as root.
 *
 * [UNPLUG] of the disk lasts until the machine is reset: it boots from it again.
 */
import assert from "node:assert/strict";
import { checkDisk, readFromDisk } from "../testbed/guest-image.js";
import { type PcRun, shareDisk, startPc, xenAndIdeDisk } from "../testbed/pc-guest.js";
import { partitionOf, pcDisk, type PcSuite } from "../testbed/pc-disk.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { troubleIn } from "./main-job.js";

export interface Pc {
  readonly suite: PcSuite;
  /** What `uname -r` begins with. */
  readonly release: string;
  readonly smp: number;
}

/** On a host that is busy with other things. One that has nothing else to do needs a fifth of it. */
const GRUB_MS = 300_000;
const LOGIN_MS = 420_000;
const COMMAND_MS = 120_000;
const WHOLE_MS = 2_000_000;
const PROMPT = /root@pc:~# $/;
/** Bytes that the guest writes before it reboots. */
const WRITTEN = "xenolith\n".repeat(1000);

/** Declares the specs: a file for each, as files run side by side. */
export function describePcBoot({ suite, release, smp }: Pc): void {
  describe(`Debian ${suite} on the disk of a PC with ${smp} vCPU${smp === 1 ? "" : "s"}`, () => {
    const booted = testbedOfSuite();
    let disk: string;
    let code: number;
    let stderr: string;
    const answers: Record<string, string> = {};

    before("boots, writes, reboots, looks and powers off", async function () {
      this.timeout(WHOLE_MS);
      const shared = await shareDisk(booted.testbed, await pcDisk(suite, console.log));
      disk = shared.host;
      const pc = startPc(booted.testbed, { smp, options: xenAndIdeDisk(shared.inside) });
      try {
        await logIn(pc);
        const ask = async (name: string, line: string): Promise<void> => {
          answers[name] = await pc.serial.command(line, PROMPT, COMMAND_MS);
        };
        await ask("release", "uname -r");
        await ask("processors", "grep -c ^processor /proc/cpuinfo");
        await ask("root", "mount | grep ' on / '");
        await ask("disks", "cd /sys/class/block; echo [hsvx]*; cd");
        await ask("written", `yes xenolith | head -n 1000 > written.txt; sync; echo written`);
        await ask("log", "dmesg -r > dmesg.txt; sync; grep -o 'unplug emulated.*' dmesg.txt");
        pc.serial.say(ending("reboot"));
        await logIn(pc);
        await ask("kept", "sha256sum < written.txt; yes xenolith | head -n 1000 | sha256sum");
        await ask("disks again", "cd /sys/class/block; echo [hsvx]*; cd");
        pc.serial.say(ending("poweroff"));
        code = await pc.ended;
        stderr = await pc.stderr();
      } finally {
        await pc[Symbol.asyncDispose]();
      }
    });

    it("boots its kernel by GRUB, which found it on the IDE disk", () => {
      assert.ok(answers["release"]?.startsWith(release), answers["release"]);
      assert.equal(answers["processors"], `${smp}\n`);
    });

    it("unplugs the IDE disk and has the PV disk as its root", async () => {
      assert.match(answers["root"] ?? "", /^\/dev\/xvda1 on \/ type ext4 \(rw,/);
      assert.equal(answers["disks"], "xvda xvda1\n");
      assert.match(answers["log"] ?? "", /unplug emulated disks/);
      assert.deepEqual(troubleIn((await readFromDisk(partitionOf(disk), "/root/dmesg.txt")).toString()), []);
    });

    it("boots again from the IDE disk after a reboot, and finds what it wrote before", () => {
      const [kept, expected] = (answers["kept"] ?? "").split("\n");
      assert.ok(kept !== undefined && /^[0-9a-f]{64}/.test(kept), kept);
      assert.equal(kept, expected);
      assert.equal(answers["disks again"], "xvda xvda1\n");
    });

    it("ends with exit code 0 when it is powered off, and nothing to complain about", () => {
      assert.deepEqual([code, stderr], [0, ""]);
    });

    it("leaves a clean file system with the file in the image", async () => {
      await checkDisk(partitionOf(disk));
      assert.equal((await readFromDisk(partitionOf(disk), "/root/written.txt")).toString(), WRITTEN);
    });
  });
}

/**
 * A line for the shell, which gives way to that command. A bash that gets its SIGHUP between the end of a command and its
 * next prompt misses it and reads on, until systemd kills serial-getty@ttyS0.service for not stopping.
 */
function ending(command: "reboot" | "poweroff"): string {
  return `exec ${command}\n`;
}

/** From power-on or reset to a shell. */
async function logIn({ serial }: PcRun): Promise<void> {
  await serial.expect(/Booting `Debian GNU\/Linux'/, GRUB_MS);
  await serial.expect(/pc login: $/, LOGIN_MS);
  serial.say("root\n");
  await serial.expect(PROMPT, LOGIN_MS);
}
