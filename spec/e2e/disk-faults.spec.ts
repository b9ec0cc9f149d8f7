/**
 * Host disks that fail under a Linux guest which uses them as IDE, PV and virtio disks at once: bad sectors, a file system
 * that is full, a disk that vanishes in mid-use. The guest is told, and goes on with what works.
 *
 * [NULLBLK] linux.git Documentation/block/null_blk.rst: a block device in memory, with bad sectors where one wants them
 */
import assert from "node:assert/strict";
import { guestKernel } from "../testbed/kernels.js";
import { runLinux } from "../testbed/linux-guest.js";
import { testbedOfSuite } from "../testbed/suite-testbed.js";

const GUEST_MS = 420_000;
const MODULES = ["ata_piix", "sd_mod", "virtio_pci", "virtio_blk", "xen-blkfront"];

/** The disk that has bad sectors and then vanishes: named as its directory. [NULLBLK] Sizes are in MiB. */
const BAD_NAME = "failing";
const BAD_DISK = `/sys/kernel/config/nullb/${BAD_NAME}`;
const BAD_DISK_MIB = 32;
/** First and last bad sector: 64 KiB in the second MiB. */
const BAD_SECTORS = "2048-2175";
/** A file of 16 MiB on a file system that has room for less. */
const FULL = "/run/full";
const IMAGE_MIB = 16;
const ROOM_MIB = 4;
const ROOM_LATER_MIB = 32;

const PREPARE = [
  "modprobe null_blk nr_devices=0",
  "mkdir -p /sys/kernel/config && { mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config; }",
  `mkdir ${BAD_DISK} && cd ${BAD_DISK}`,
  `echo 1 >memory_backed && echo ${BAD_DISK_MIB} >size && echo 512 >blocksize`,
  `echo +${BAD_SECTORS} >badblocks && echo 1 >power`,
  `mkdir ${FULL} && mount -t tmpfs -o size=${ROOM_MIB}M none ${FULL} && truncate -s ${IMAGE_MIB}M ${FULL}/image`,
  "truncate -s 8M /tmp/sound",
].join(" && ");
const VANISH = `echo 0 >${BAD_DISK}/power`;
const MAKE_ROOM = `mount -o remount,size=${ROOM_LATER_MIB}M ${FULL}`;

/** Each image is a disk of all three kinds. */
function drives(file: string, name: string, { place, vdev }: { place: number; vdev: string }): string[] {
  const drive = `file=${file},format=raw,file.locking=off`;
  return [
    ...["--drive", `${drive},if=ide,index=${place}`],
    ...["--drive", `${drive},if=none,id=${name}-pv`, "--device", `xen-disk,drive=${name}-pv,vdev=${vdev}`],
    ...["--drive", `${drive},if=none,id=${name}-virtio`, "--device", `virtio-blk-pci,drive=${name}-virtio`],
  ];
}

const BAD_NAMES = ["sda", "xvda", "vda"] as const;
const FULL_NAMES = ["sdb", "xvdb", "vdb"] as const;
const NAMES = [...BAD_NAMES, ...FULL_NAMES, "xvdc"].map((name) => `/dev/${name}`).join(" ");

const SCRIPT = `
for disk in ${NAMES}; do until [ -b $disk ]; do usleep 100000; done; done
# Linux probes a channel's two disks at once: the slave may be the first to have a name.
if [ $(cat /sys/block/sda/size) != ${BAD_DISK_MIB * 2048} ]; then
  mv /dev/sda /dev/slave && mv /dev/sdb /dev/sda && mv /dev/slave /dev/sdb
fi
read_at() { dd if=/dev/$1 of=/dev/null bs=64k skip=$2 count=1 iflag=direct 2>/dev/null && echo good || echo bad; }
write_all() { dd if=/dev/zero of=/dev/$1 bs=256k oflag=direct 2>/dev/null && echo good || echo bad; }
for disk in ${BAD_NAMES.join(" ")}; do
  echo "== read $disk $(read_at $disk 15) $(read_at $disk 16) $(read_at $disk 17)"
done
for disk in ${FULL_NAMES.join(" ")}; do echo "== full $disk $(write_all $disk) $(read_at $disk 0)"; done
echo "== make room"
for disk in ${FULL_NAMES.join(" ")}; do
  until [ "$(dd if=/dev/zero of=/dev/$disk bs=64k count=1 seek=250 oflag=direct 2>/dev/null && echo good)" = good ]; do sleep 1; done
  echo "== room $disk"
done
for disk in ${BAD_NAMES.join(" ")}; do
  (while [ $(read_at $disk 1) = good ]; do :; done; echo "== gone $disk $(read_at $disk 1) $(write_all $disk)") &
done
echo "== vanish"
wait
dd if=/dev/zero of=/dev/xvdc bs=64k count=16 oflag=direct 2>/dev/null && echo "== alive"
poweroff -f
`;

describe("A disk of the host's that fails a Linux guest", function () {
  const booted = testbedOfSuite({ cpus: 1 });
  let output = "";
  let code: number;
  let stderr: string;

  before("runs the guest", async function () {
    this.timeout(GUEST_MS);
    await must(PREPARE);
    let asked = 0;
    const hostSteps = [
      ["== make room\n", MAKE_ROOM],
      ["== vanish\n", VANISH],
    ] as const;
    const started: Promise<void>[] = [];
    const run = await runLinux(booted.testbed, {
      kernel: await guestKernel("trixie"),
      smp: 2,
      script: SCRIPT,
      modules: MODULES,
      append: "loglevel=1 xen_emul_unplug=unnecessary",
      vmmOptions: [
        ...drives(`/dev/${BAD_NAME}`, "bad", { place: 0, vdev: "xvda" }),
        ...drives(`${FULL}/image`, "full", { place: 1, vdev: "xvdb" }),
        ...["--drive", "file=/tmp/sound,if=none,id=sound,format=raw", "--device", "xen-disk,drive=sound,vdev=xvdc"],
      ],
      onOutput: (stream, data) => {
        if (stream === "stdout") output += Buffer.from(data).toString("latin1").replaceAll("\r", "");
        const [word, command] = hostSteps[asked] ?? [];
        if (word === undefined || !output.includes(word)) return;
        asked += 1;
        started.push(must(command));
      },
    });
    await Promise.all(started);
    ({ code, stderr } = run);
    if (!output.includes("== alive")) assert.fail(`The guest did not finish:\n${output}\n${stderr}`);
  });

  async function must(command: string): Promise<void> {
    const { code: status, stderr: said } = await booted.testbed.run(command);
    assert.equal(status, 0, `${command}: ${said}`);
  }

  function lines(word: string): readonly string[] {
    return [...output.matchAll(new RegExp(`^== ${word} (.*)$`, "gm"))].map(([, rest = ""]) => rest).sort();
  }

  it("has bad sectors among good ones (I18, K17)", () => {
    assert.deepEqual(lines("read"), ["sda good bad good", "vda good bad good", "xvda good bad good"], output);
  });

  it("cannot be written when the host has no room left, and is read on (I18, K17)", () => {
    assert.deepEqual(lines("full"), ["sdb bad good", "vdb bad good", "xvdb bad good"], output);
  });

  it("can be written again when there is room", () => {
    assert.deepEqual(lines("room"), ["sdb", "vdb", "xvdb"], output);
  });

  it("vanishes in mid-use, and then fails whatever is asked of it (I18, K17)", () => {
    assert.deepEqual(lines("gone"), ["sda bad bad", "vda bad bad", "xvda bad bad"], output);
  });

  it("leaves the machine and its other disks alone", () => {
    assert.deepEqual([code, stderr], [0, ""]);
  });
});
