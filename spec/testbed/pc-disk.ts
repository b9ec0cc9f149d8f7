/**
 * A Debian on the disk of a PC: a boot record with GRUB, one partition with ext4, systemd with a login on the serial port.
 *
 * Made from packages and kept in the cache. A guest gets a copy.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { cached } from "./cache.js";
import { APT_OPTIONS, buildDebianTree, DPKG_OPTIONS } from "./debian-tree.js";
import {
  bootRecord,
  CORE_START,
  coreSectors,
  grubFile,
  grubImage,
  type Partition,
  SECTOR,
  SERIAL_TERMINAL,
} from "./grub.js";
import { type Log, runHost } from "./host-command.js";
import { DISK_MODULES, guestInitrd, writeToDisk } from "./guest-image.js";
import { hostTool } from "./host-tool.js";
import { ensureImage } from "./image.js";

export const PC_SUITES = ["bookworm", "trixie"] as const;
export type PcSuite = (typeof PC_SUITES)[number];

const MIB = 1 << 20;
/** What is not used takes no space on the host. */
const DISK_MIB = 384;
/** As every partitioning tool since 2010 has it. */
export const PARTITION_OFFSET = MIB;
const PARTITION: Partition = {
  start: PARTITION_OFFSET / SECTOR,
  length: (DISK_MIB * MIB - PARTITION_OFFSET) / SECTOR,
};
const DISK_SIGNATURE = 0x584e_4c54;
const FILE_SYSTEM_UUID = "7865006e-6f6c-6974-6820-2d2070632000";
const MACHINE_ID = "78656e6f6c69746878656e6f6c697468\n";
/** GRUB of bookworm does not know the newest features of ext4. */
const FILE_SYSTEM = [
  ...["-t", "ext4", "-b", "4096", "-O", "^metadata_csum_seed,^orphan_file", "-U", FILE_SYSTEM_UUID],
  ...["-E", `offset=${PARTITION_OFFSET},hash_seed=${FILE_SYSTEM_UUID}`],
];

const PACKAGES = [
  ...["linux-image-cloud-amd64", "kmod", "udev", "busybox-static"],
  ...["systemd-sysv", "passwd", "login", "e2fsprogs"],
  ...["grub-common", "grub-pc-bin"],
];
/** What would make an initrd of Debian's own, and names of all the world's hardware. */
const LEFT_OUT = ["path-exclude=/etc/kernel/postinst.d/initramfs-tools", "path-exclude=/usr/lib/udev/hwdb.d/*"];
/**
 * The initrd has a busybox and what finds the root device, a fifth of Debian's own: SeaBIOS reads it for GRUB sector by
 * sector, with some seven exits for each.
 */
const INITRD_MODULES = [...DISK_MODULES, "ata_piix", "sd_mod", "virtio_pci", "virtio_blk"];
const INITRD_PATH = "/boot/initrd.gz";
const INITRD_SCRIPT = `
init=/sbin/init
for word in $(cat /proc/cmdline); do
  case $word in
    root=*) root=\${word#root=} ;;
    init=*) init=\${word#init=} ;;
  esac
done
until [ -b "$root" ]; do sleep 0.1; done
mount -t ext4 -o ro "$root" /mnt
for directory in dev proc sys; do mount --move "/$directory" "/mnt/$directory"; done
exec switch_root /mnt "$init"
`;
const GRUB_MODULES = [
  ...["biosdisk", "part_msdos", "ext2", "linux", "normal", "configfile", "test", "echo", "ls", "cat"],
  ...["serial", "terminal", "terminfo", "minicmd", "reboot", "halt"],
];
const GRUB_PREFIX = "(,msdos1)/boot/grub";

/** A test that wants other kernel arguments writes another custom.cfg; see setBootVariables. */
const GRUB_CONFIG = `set timeout=0
set root_device=/dev/xvda1
set append="quiet loglevel=2"
if [ -f /boot/grub/custom.cfg ]; then
  source /boot/grub/custom.cfg
fi
menuentry "Debian GNU/Linux" {
  linux /vmlinuz root=$root_device ro console=ttyS0 $append
  initrd ${INITRD_PATH}
}
`;

/** By absolute path. They are there before the first package is. */
const FILES: Readonly<Record<string, string>> = {
  "/boot/grub/grub.cfg": GRUB_CONFIG,
  "/boot/grub/custom.cfg": "",
  "/etc/fstab": `UUID=${FILE_SYSTEM_UUID} / ext4 errors=remount-ro 0 1\n`,
  "/etc/hostname": "pc\n",
  // Of a processor that could run guests of its own
  "/etc/modprobe.d/pc.conf": "blacklist kvm_amd\nblacklist kvm_intel\nblacklist powernow_k8\n",
  "/etc/systemd/journald.conf.d/pc.conf": "[Journal]\nStorage=volatile\n",
  // An emulated host that is busy is slower than anything that these were made for. To stop takes less, or it never ends: a
  // bash at the serial console may miss its SIGHUP
  "/etc/systemd/system.conf.d/pc.conf":
    "[Manager]\nDefaultTimeoutStartSec=600\nDefaultTimeoutStopSec=30\nDefaultDeviceTimeoutSec=600\n",
};
/** What a guest that lives for a minute can do without. */
const MASKED = [
  ...["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"],
  ...["e2scrub_reap.service", "grub-common.service", "grub-initrd-fallback.service", "ldconfig.service"],
  ...["systemd-binfmt.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service"],
  ...["systemd-journal-flush.service", "systemd-network-generator.service", "systemd-networkd.service"],
  ...["systemd-pstore.service", "systemd-random-seed.service", "systemd-tmpfiles-clean.timer"],
  ...["systemd-update-done.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service"],
  ...["dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount"],
  ...["sys-kernel-debug.mount", "sys-kernel-tracing.mount", "proc-sys-fs-binfmt_misc.automount"],
  ...["getty@tty1.service", "getty-static.service", "modprobe@drm.service"],
];
/** Hooks that mmdebstrap runs in a shell, with the tree as $1 and the files beside it. */
const HOOKS = [
  { when: "setup", command: `cp --recursive files/. "$1/"` },
  { when: "customize", command: `systemctl --root="$1" --quiet mask ${MASKED.join(" ")}` },
  // No password
  { when: "customize", command: `sed -i 's/^root:[^:]*:/root::/' "$1/etc/shadow"` },
  { when: "customize", command: `rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*.log` },
] as const;

/** Host path of that suite's disk, built first if it is not in the cache. Nobody may write to it. @throws TestbedError */
export async function pcDisk(suite: PcSuite, log: Log = () => undefined): Promise<string> {
  const { root } = await ensureImage(log);
  const directory = await cached(`pc-${suite}-${recipeHash()}`, async (partial) => {
    log(`testbed: building a PC's disk with Debian ${suite} (once; about a minute)`);
    await writeFiles(join(partial, "files"));
    const tree = join(partial, "tree");
    await buildDebianTree(
      { suite, variant: "essential", packages: PACKAGES, dpkgOptions: LEFT_OUT, hooks: HOOKS },
      tree,
      {
        cwd: partial,
        log,
      },
    );
    // mmdebstrap leaves none, and a machine without one is in its first boot for ever
    await writeFile(join(tree, "etc/machine-id"), MACHINE_ID);
    await writeFile(join(tree, INITRD_PATH), await initrd(tree));
    await makeDisk(root, tree, partial);
    await rm(tree, { recursive: true });
    await rm(join(partial, "files"), { recursive: true });
  });
  return join(directory, "disk.img");
}

function recipeHash(): string {
  const recipe = [
    PACKAGES,
    FILES,
    HOOKS,
    APT_OPTIONS,
    DPKG_OPTIONS,
    LEFT_OUT,
    INITRD_MODULES,
    INITRD_SCRIPT,
    GRUB_MODULES,
    GRUB_PREFIX,
    SERIAL_TERMINAL,
  ];
  const layout = [DISK_MIB, PARTITION, DISK_SIGNATURE, FILE_SYSTEM, MACHINE_ID];
  return createHash("sha256")
    .update(JSON.stringify([recipe, layout]))
    .digest("hex")
    .slice(0, 16);
}

async function writeFiles(directory: string): Promise<void> {
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

async function initrd(tree: string): Promise<Buffer> {
  const modules = join(tree, "usr/lib/modules");
  const [version = ""] = await readdir(modules);
  const kernel = { modulesDir: join(modules, version), busybox: join(tree, "usr/bin/busybox") };
  const archive = await guestInitrd({ kernel, script: INITRD_SCRIPT, modules: INITRD_MODULES });
  return gzipSync(archive, { level: 9 });
}

async function makeDisk(toolRoot: string, tree: string, directory: string): Promise<void> {
  const path = join(directory, "disk.img");
  const mke2fs = hostTool({ root: toolRoot }, "usr/sbin/mke2fs", [
    ...["-q", "-F", ...FILE_SYSTEM, "-d", tree, path, `${(PARTITION.length * SECTOR) / 1024}k`],
  ]);
  await runHost(mke2fs.file, mke2fs.args, { env: { MKE2FS_CONFIG: join(toolRoot, "etc/mke2fs.conf") } });
  const core = await grubImage(tree, { format: "i386-pc", prefix: GRUB_PREFIX, modules: GRUB_MODULES });
  const record = bootRecord(await readFile(grubFile(tree, "boot.img")), PARTITION, DISK_SIGNATURE);
  const disk = await open(path, "r+");
  try {
    await disk.write(record, 0, record.length, 0);
    const sectors = coreSectors(core, PARTITION);
    await disk.write(sectors, 0, sectors.length, CORE_START * SECTOR);
    await disk.truncate(DISK_MIB * MIB);
  } finally {
    await disk.close();
  }
}

/** Sets variables of a disk's GRUB configuration: `root_device`, and `append` for the kernel's command line. */
export async function setBootVariables(disk: string, variables: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(variables).map(([name, value]) => `set ${name}="${value}"\n`);
  await writeToDisk(partitionOf(disk), "/boot/grub/custom.cfg", lines.join(""));
}

/** The file system of such a disk, as the tools of guest-image.ts want it named. */
export function partitionOf(disk: string): string {
  return `${disk}?offset=${PARTITION_OFFSET}`;
}
