/** A Linux guest on a virtio disk, and what becomes of the disk when the guest unplugs. */
import assert from "node:assert/strict";
import { copyFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { temporaryFolder } from "../support/temporary.js";
import { checkDisk, guestDisk, readFromDisk } from "../testbed/guest-image.js";
import { guestKernel, type GuestKernel } from "../testbed/kernels.js";
import { type LinuxRun, runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { givenFile, InterruptCounts, sha256, troubleIn, writtenFile } from "./main-job.js";

const DISK_MIB = 48;
const LAST_NUMBER = 600_000;
const GUEST_MS = 420_000;
const MODULES = ["crc32c_generic", "ext4", "virtio_pci", "virtio_blk", "xen-blkfront"];
/** Only warnings and worse: much of an emulated host's time is what the serial port takes. */
const TERSE = "loglevel=5";

/** Reads back what it wrote after dropping its page cache, then frees and zeroes blocks at the disk's end. */
const USE = `
sum() { sha256sum "$1" | cut -d' ' -f1; }
mount -t ext4 -o discard /dev/vda /mnt || { echo "== failed mount"; poweroff -f; }
cat /sys/block/vda/serial > /mnt/serial.txt
cat /sys/block/vda/cache_type > /mnt/cache.txt
sum /mnt/given.bin > /mnt/given.sum
seq 1 ${LAST_NUMBER} > /mnt/written.txt
dd if=/dev/urandom of=/mnt/gone bs=64k count=16 2>/dev/null
sync
rm /mnt/gone
fstrim -v /mnt > /mnt/trim.txt
echo 3 > /proc/sys/vm/drop_caches
sum /mnt/written.txt > /mnt/written.sum
cat /proc/interrupts > /mnt/interrupts.txt
dmesg -r > /mnt/dmesg.txt
umount /mnt
sync
echo "== done"
poweroff -f
`;

const LOOK = `
ls /sys/bus/pci/devices
test -e /dev/vda && echo "== vda is there" || echo "== vda is gone"
test -e /dev/xvda && echo "== xvda is there"
echo "== done"
poweroff -f
`;

describe("Linux with a virtio disk", function () {
  const folder = temporaryFolder();
  const booted = testbedOfSuite({ cpus: 1 });
  let kernel: GuestKernel;

  before("fetches the kernel", async function () {
    this.timeout(GUEST_MS);
    kernel = await guestKernel("trixie");
  });

  /** Boots with the image as a virtio disk in slot 5, and gives the image back as the guest left it. */
  async function run(image: string, append: string, script: string): Promise<LinuxRun> {
    const shared = join(booted.testbed.share, basename(image));
    const inside = `/tmp/${basename(image)}`;
    await copyFile(image, shared);
    await expectSuccess(`cp --sparse=always /share/${basename(image)} ${inside}`);
    const drive = `file=${inside},if=none,id=virtio,format=raw,discard=unmap,file.locking=off`;
    const vmmOptions = ["--drive", drive, "--device", "virtio-blk-pci,drive=virtio,serial=VIRTIO-SN,addr=0x5"];
    const result = await runLinux(booted.testbed, {
      ...{ kernel, smp: 2, modules: MODULES, script, vmmOptions },
      append: `${TERSE} ${append}`,
      scratchDiskMiB: 8,
    });
    await expectSuccess(`cp --sparse=always ${inside} /share/${basename(image)} && rm ${inside}`);
    await copyFile(shared, image);
    await rm(shared);
    return result;
  }

  async function expectSuccess(command: string): Promise<void> {
    const { code, stderr } = await booted.testbed.run(command);
    assert.equal(code, 0, stderr);
  }

  it("mounts it, writes, trims and reads back, with xen_emul_unplug=never", async function () {
    this.timeout(GUEST_MS);
    const image = folder.path("virtio.img");
    await guestDisk({ path: image, sizeMiB: DISK_MIB, files: { "given.bin": givenFile() } });
    const result = await run(image, "xen_emul_unplug=never", USE);
    assert.match(result.console, /== done/, `${result.console}\n${result.stderr}`);
    assert.deepEqual([result.code, result.stderr], [0, ""]);
    await checkDisk(image);
    const file = async (name: string): Promise<string> => (await readFromDisk(image, name)).toString();
    assert.equal((await file("given.sum")).trim(), sha256(givenFile()));
    assert.equal((await file("written.sum")).trim(), sha256(writtenFile()));
    assert.equal(await file("serial.txt"), "VIRTIO-SN");
    assert.equal(await file("cache.txt"), "write back\n");
    assert.match(await file("trim.txt"), /[1-9]\d* bytes/);
    assert.deepEqual(troubleIn(await file("dmesg.txt")), []);
    const interrupts = new InterruptCounts(await file("interrupts.txt"));
    // Plain messages: with xen-vapic, Linux does without PIRQs for them.
    assert.ok(interrupts.of(/^\s*PCI-MSIX-0000:00:05\.0\s.*\svirtio0-req\.0$/) > 0, await file("interrupts.txt"));
  });

  it("loses it when the guest unplugs, and keeps the PV disk", async function () {
    this.timeout(GUEST_MS);
    const image = folder.path("unplugged.img");
    await guestDisk({ path: image, sizeMiB: 8 });
    const result = await run(image, "", LOOK);
    assert.match(result.console, /== vda is gone\n== xvda is there\n== done/, result.console);
    assert.doesNotMatch(result.console, /0000:00:05\.0/);
    assert.match(result.console, /0000:00:02\.0/);
  });
});
