/** Linux's ata_piix on an IDE disk of ours, without the PV disk: what it reads, writes and trims by DMA is on the image. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../support/temporary.js";
import { checkDisk, guestDisk, readFromDisk } from "../testbed/guest-image.js";
import { guestKernel } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";

const SIZE_MIB = 24;
const GIVEN = Buffer.alloc(3 << 20, "what is given\n");
const GUEST_MS = 420_000;
const IMAGE = "ide-disk.img";

const SCRIPT = `
mount -t ext4 /dev/sda /mnt
echo "== read $(sha256sum </mnt/given | cut -d ' ' -f 1)"
seq 1 200000 >/mnt/written
sync
fstrim -v /mnt | sed 's/^/== /'
umount /mnt
echo "== interrupts $(sed -n 's/^ *15: *\\([0-9]*\\) *\\([0-9]*\\) .*ata_piix/\\1 \\2/p' /proc/interrupts)"
dmesg | grep -E 'ata[12]|Buffer I/O' | sed 's/^/== log /'
poweroff -f
`;

describe("Linux with an IDE disk", function () {
  const folder = temporaryFolder();
  const booted = testbedOfSuite({ cpus: 1 });

  it("reads, writes and trims ext4 by DMA", async function () {
    this.timeout(GUEST_MS);
    const image = folder.path(IMAGE);
    const shared = join(booted.testbed.share, IMAGE);
    await guestDisk({ path: image, sizeMiB: SIZE_MIB, files: { "/given": GIVEN } });
    await copyFile(image, shared);
    const { code, console: text } = await runLinux(booted.testbed, {
      kernel: await guestKernel("trixie"),
      script: SCRIPT,
      smp: 2,
      modules: ["crc32c_generic", "ext4", "ata_piix", "sd_mod"],
      append: "loglevel=4 xen_emul_unplug=never",
      vmmOptions: ["--drive", `file=/share/${IMAGE},if=ide,index=2,format=raw,file.locking=off,discard=unmap`],
    });
    assert.equal(code, 0, text);
    assert.match(text, new RegExp(`== read ${createHash("sha256").update(GIVEN).digest("hex")}`));
    assert.match(text, /== .*bytes trimmed/);
    assert.match(text, /== log .*ata2\.00: ATA-7: XENOLITH HARDDISK/);
    const [, first = "0", second = "0"] = /== interrupts (\d+) (\d+)/.exec(text) ?? [];
    assert(Number(first) + Number(second) > 20, text);
    // A transfer that goes wrong leaves lines such as "ata2.00: exception Emask" and "ata2: soft resetting link".
    assert.doesNotMatch(text, /exception|failed command|resetting|I\/O error|timeout/i);
    await copyFile(shared, image);
    await checkDisk(image);
    const written = await readFromDisk(image, "written");
    assert.equal(written.toString(), Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`).join(""));
  });
});
