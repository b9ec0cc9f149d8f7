/**
 * What Linux's `xen_emul_unplug=` leaves of a machine that has two IDE disks, a CD drive, a virtio disk and a network card
 * beside its PV disk.
 *
 * [UNPLUG] xen.git docs/misc/hvm-emulated-unplug.pandoc
 * [LINUX] linux.git arch/x86/xen/platform-pci-unplug.c
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { guestKernel } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";
import { troubleIn } from "./main-job.js";

const GUEST_MS = 420_000;
const MODULES = ["ata_piix", "sd_mod", "sr_mod", "virtio_pci", "virtio_blk", "virtio_net", "xen-blkfront"];
const IMAGE_BYTES = 1 << 20;
const MAC = "52:54:00:58:65:6e";

/** Each image says where it is plugged in. The CD is in the second channel's first place. */
const IMAGES = ["primary-master", "secondary-slave", "disc", "virtio", "pv"] as const;
type Disk = (typeof IMAGES)[number];

const CD_DRIVE = "disc";
const IDE_AND_VIRTIO = ["primary-master", "secondary-slave", "virtio"] as const;

interface Unplug {
  readonly value: string;
  /** What the guest still finds, apart from the CD drive. */
  readonly disks: readonly Disk[];
  readonly card: boolean;
}

/** Of all but `never`, PV drivers find their devices. [LINUX] A virtio disk goes with "all disks". */
const UNPLUGS: readonly Unplug[] = [
  { value: "all", disks: ["pv"], card: false },
  { value: "ide-disks", disks: ["pv"], card: true },
  { value: "aux-ide-disks", disks: ["primary-master", "virtio", "pv"], card: true },
  { value: "nics", disks: [...IDE_AND_VIRTIO, "pv"], card: false },
  { value: "unnecessary", disks: [...IDE_AND_VIRTIO, "pv"], card: true },
  { value: "never", disks: IDE_AND_VIRTIO, card: true },
];

/** Where the machine has each; the IDE controller and the platform device are nobody's to unplug. */
const ALWAYS = ["0000:00:00.0", "0000:00:01.0", "0000:00:01.1", "0000:00:01.3", "0000:00:02.0"];
const CARD_SLOT = "0000:00:03.0";
const VIRTIO_SLOT = "0000:00:04.0";

const OPTIONS = [
  ...["--drive", "file=/share/primary-master,if=ide,index=0,format=raw"],
  ...["--drive", "file=/share/secondary-slave,if=ide,index=3,format=raw"],
  ...["--drive", "file=/share/disc,if=ide,index=2,media=cdrom,format=raw"],
  ...["--drive", "file=/share/virtio,if=none,id=virtio,format=raw", "--device", "virtio-blk-pci,drive=virtio"],
  ...["--drive", "file=/share/pv,if=none,id=pv,format=raw", "--device", "xen-disk,drive=pv,vdev=xvda"],
  // Nobody is at the other end.
  ...["--nic", `stream,server=on,addr.type=unix,addr.path=/tmp/unplug.sock,mac=${MAC}`],
];

/** Drivers look for IDE drives on their own time: waits for as many disks as there are to be, then for one too many. */
function script(disks: number): string {
  return `
tries=0
until [ "$(ls /sys/block | wc -l)" -ge ${disks} ] || [ $tries -ge 600 ]; do usleep 100000; tries=$((tries + 1)); done
sleep 1
for disk in $(ls /sys/block); do echo "== disk $(dd if=/dev/$disk bs=2048 count=1 2>/dev/null | head -n 1)"; done
for pci in $(ls /sys/bus/pci/devices); do echo "== pci $pci"; done
for card in $(ls /sys/class/net); do echo "== card $(cat /sys/class/net/$card/address)"; done
echo "== done"
poweroff -f
`;
}

/** The rest of each line that begins with that word. */
function lines(text: string, word: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^== ${word} (.*)$`, "gm"))].map(([, rest = ""]) => rest);
}

describe("Linux's xen_emul_unplug=", function () {
  const booted = testbedOfSuite({ cpus: 1 });

  before("writes the images", async function () {
    this.timeout(GUEST_MS);
    for (const name of IMAGES) {
      const image = Buffer.alloc(IMAGE_BYTES);
      image.write(`${name}\n`);
      await writeFile(join(booted.testbed.share, name), image);
    }
  });

  for (const { value, disks, card } of UNPLUGS) {
    it(`${value} leaves ${[...disks, ...(card ? ["the card"] : [])].join(", ")} and the CD drive`, async function () {
      this.timeout(GUEST_MS);
      const left = [CD_DRIVE, ...disks];
      const {
        code,
        stderr,
        console: text,
      } = await runLinux(booted.testbed, {
        kernel: await guestKernel("trixie"),
        script: script(left.length),
        modules: MODULES,
        append: `loglevel=4 xen_emul_unplug=${value}`,
        vmmOptions: OPTIONS,
      });
      assert.match(text, /^== done$/m, text);
      assert.deepEqual([code, stderr, troubleIn(text)], [0, "", []]);
      assert.deepEqual([...lines(text, "disk")].sort(), [...left].sort());
      const slots = [...ALWAYS, ...(card ? [CARD_SLOT] : []), ...(left.includes("virtio") ? [VIRTIO_SLOT] : [])];
      assert.deepEqual(lines(text, "pci"), slots);
      // The loopback interface has an address of zeros.
      assert.deepEqual([...lines(text, "card")].sort(), ["00:00:00:00:00:00", ...(card ? [MAC] : [])]);
    });
  }
});
