/**
 * GRUB as a Xen PVH guest: 32 bits without paging, the hypercall page, grants, xenstore, PV console and PV disk, all of its
 * own. It reads Debian's kernel from the disk and leaves all that behind to it as it stands.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { temporaryFolder } from "../support/temporary.js";
import { checkDisk, guestDisk, guestInitrd, readFromDisk } from "../testbed/guest-image.js";
import { guestKernel } from "../testbed/kernels.js";
import { PV_CONSOLE, shareDisk, startPc } from "../testbed/pc-guest.js";
import { pvhGrub } from "../testbed/pvh-grub.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { troubleIn } from "./main-job.js";

/** On a host that is busy with other things. One that has nothing else to do needs a tenth of it. */
const STEP_MS = 300_000;
const WHOLE_MS = 1_000_000;
const DISK_MIB = 40;
const GRUB_CONFIG = `set timeout=-1
menuentry "Debian" {
  linux /boot/vmlinuz root=/dev/xvda console=hvc0 loglevel=5
  initrd /boot/initrd
}
`;
const SCRIPT = `
mount -t ext4 /dev/xvda /mnt || { echo "== failed mount"; poweroff -f; }
uname -r > /mnt/release.txt
cat /sys/hypervisor/guest_type > /mnt/type.txt
dmesg -r > /mnt/dmesg.txt
umount /mnt
echo "== done"
poweroff -f
`;

describe("GRUB as the kernel of a PVH guest", function () {
  const folder = temporaryFolder();
  const booted = testbedOfSuite({ cpus: 1 });

  for (const transport of ["kernel", "userspace"]) {
    it(`boots Debian from the PV disk by its menu on the PV console, ${transport} transport`, async function () {
      this.timeout(WHOLE_MS);
      const kernel = await guestKernel("trixie", console.log);
      const image = folder.path(`${transport}.img`);
      const files = {
        "/boot/grub/grub.cfg": GRUB_CONFIG,
        "/boot/vmlinuz": await readFile(kernel.vmlinuz),
        "/boot/initrd": await guestInitrd({ kernel, script: SCRIPT }),
      };
      await guestDisk({ path: image, sizeMiB: DISK_MIB, files });
      const disk = await shareDisk(booted.testbed, image);
      const grub = await shareDisk(booted.testbed, await pvhGrub(console.log));
      await using pc = startPc(booted.testbed, {
        smp: 2,
        memoryMiB: 512,
        console: PV_CONSOLE,
        options: [
          // From Xen 4.17 on Linux takes events by vectors of its vCPUs' own, which a second vCPU registers before it runs
          ...["--accel", `kvm,xen-version=0x40011,xen-transport=${transport}`, "--kernel", grub.inside],
          ...["--drive", `file=${disk.inside},if=none,id=disk,format=raw,file.locking=off`],
          ...["--device", "xen-disk,drive=disk,vdev=xvda"],
        ],
      });
      const { serial } = pc;
      await serial.expect(/GNU GRUB/, STEP_MS);
      await serial.expect(/\*Debian/, STEP_MS);
      serial.say("\r");
      await serial.expect(/== done/, STEP_MS);
      assert.deepEqual([await pc.ended, await pc.stderr()], [0, ""]);
      await checkDisk(disk.host);
      const file = async (name: string): Promise<string> => (await readFromDisk(disk.host, name)).toString();
      assert.equal(await file("release.txt"), `${kernel.version}\n`);
      assert.equal(await file("type.txt"), "HVM\n");
      assert.deepEqual(troubleIn(await file("dmesg.txt")), []);
    });
  }
});
