/**
 * What a Linux guest lives through without a reboot: processors that go and come back, and a suspension, from which it goes
 * on as if nothing had been ("cancelled"), with its timers, console and disk.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { guestInitrd } from "../testbed/guest-image.js";
import { guestKernel } from "../testbed/kernels.js";
import { PATIENT_RCU } from "../testbed/linux-guest.js";
import { type PcRun, startPc } from "../testbed/pc-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { troubleIn } from "./main-job.js";

/** On a host that is busy with other things. One that has nothing else to do needs a tenth of it. */
const STEP_MS = 240_000;
const WHOLE_MS = 1_000_000;
const VCPUS = 2;
const MEMORY_MIB = 512;
const MONITOR_PROMPT = /\(xenolith\) $/;
const ROUNDS = 3;
/** To the monitor on the same terminal, and back. */
const SWITCH = "\x01c";

/** Of the kernel's log it prints what may be trouble, as a slow host takes milliseconds for each character. */
const SCRIPT = `
cpus() { grep -c ^processor /proc/cpuinfo; }
cpu1=/sys/devices/system/cpu/cpu1/online
for round in $(seq ${ROUNDS}); do
  echo 0 > $cpu1 && echo "== off $(cpus)"
  echo 1 > $cpu1 && echo "== on $(cpus)"
done
dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null
dd if=/tmp/data of=/dev/xvda bs=64k conv=fsync 2>/dev/null
until read -t 1 line; do echo "== waits"; done
echo "== heard $line"
echo 3 > /proc/sys/vm/drop_caches
dd if=/dev/xvda bs=64k count=16 2>/dev/null | cmp - /tmp/data && echo "== reads"
dd if=/tmp/data of=/dev/xvda bs=64k seek=16 conv=fsync 2>/dev/null && echo "== writes"
echo 0 > $cpu1 && echo "== off again $(cpus)"
dmesg -r | grep -iE "trace|warning|bug|oops|panic|lockup|hung|stall|msr|error|wrong|nobody" | sed "s/^/log /"
echo "== done"
poweroff -f
`;

describe("The life of a Linux guest", function () {
  const booted = testbedOfSuite();

  async function start(): Promise<PcRun> {
    const kernel = await guestKernel("trixie", console.log);
    const initrd = join(booted.testbed.share, `${randomUUID()}.initrd`);
    await writeFile(initrd, await guestInitrd({ kernel, script: SCRIPT }));
    const disk = `/tmp/${randomUUID()}.disk`;
    assert.equal((await booted.testbed.run(`truncate -s 16M ${disk}`)).code, 0);
    return startPc(booted.testbed, {
      smp: VCPUS,
      memoryMiB: MEMORY_MIB,
      options: [
        ...["--kernel", `${kernel.insideDirectory}/vmlinuz`, "--initrd", `/share/${basename(initrd)}`],
        ...["--append", `console=ttyS0 loglevel=4 ${PATIENT_RCU}`],
        ...["--drive", `file=${disk},if=none,id=disk,format=raw,file.locking=off`],
        ...["--device", "xen-disk,drive=disk,vdev=xvda"],
      ],
    });
  }

  it("loses and gains processors, is suspended and goes on", async function () {
    this.timeout(WHOLE_MS);
    const pc = await start();
    try {
      const { serial } = pc;
      for (let round = 0; round < ROUNDS; round += 1) {
        await serial.expect(/== off 1\n/, STEP_MS);
        await serial.expect(/== on 2\n/, STEP_MS);
      }
      await serial.expect(/== waits\n/, STEP_MS);
      serial.say(SWITCH);
      await serial.expect(MONITOR_PROMPT, STEP_MS);
      serial.say("suspend\n");
      await serial.expect(MONITOR_PROMPT, STEP_MS);
      const status = await serial.command("info status", MONITOR_PROMPT, STEP_MS);
      assert.match(status, /suspended/);
      serial.say("cont\n");
      await serial.expect(MONITOR_PROMPT, STEP_MS);
      serial.say(SWITCH);
      // Once it may have been about to say so when it was suspended; twice takes a timer.
      await serial.expect(/== waits\n/, STEP_MS);
      await serial.expect(/== waits\n/, STEP_MS);
      serial.say("go on\n");
      await serial.expect(/== heard go on\n/, STEP_MS);
      await serial.expect(/== reads\n/, STEP_MS);
      await serial.expect(/== writes\n/, STEP_MS);
      await serial.expect(/== off again 1\n/, STEP_MS);
      await serial.expect(/== done\n/, STEP_MS);
      assert.equal(await pc.ended, 0);
      assert.deepEqual(troubleIn(serial.transcript), []);
    } finally {
      await pc[Symbol.asyncDispose]();
    }
  });
});
