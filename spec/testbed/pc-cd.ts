/**
 * Bootable CDs, from packages and kept in the cache: Debian's installer behind a GRUB that speaks on the serial port, and
 * GRUB's own rescue CD as its package has it.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { cached } from "./cache.js";
import { cpioWithout } from "./cpio.js";
import { APT_OPTIONS, buildDebianTree, DPKG_OPTIONS, EXTRACT_HOOKS } from "./debian-tree.js";
import { grubImage, SERIAL_TERMINAL } from "./grub.js";
import { type Log, runHost } from "./host-command.js";
import { hostTool } from "./host-tool.js";

export interface BootCds {
  /** Host path of the installer's CD. */
  readonly installer: string;
  /** Host path of GRUB's rescue CD, which speaks to the BIOS's console. */
  readonly rescue: string;
}

const SUITE = "trixie";
const PACKAGES = [
  ...["grub-common", "grub-pc-bin", "grub-rescue-pc", "xorriso"],
  ...["debian-installer-13-netboot-amd64"],
];
const INSTALLER = "usr/lib/debian-installer/images/13/amd64/text/debian-installer/amd64";
const RESCUE = "usr/lib/grub-rescue/grub-rescue-cdrom.iso";

const GRUB_PREFIX = "/boot/grub";
const GRUB_MODULES = [
  ...["biosdisk", "iso9660", "linux", "normal", "configfile", "test", "echo", "ls", "cat"],
  ...["serial", "terminal", "terminfo", "minicmd", "reboot", "halt"],
];
const GRUB_CONFIG = `set timeout=0
menuentry "Debian installer" {
  linux /linux console=ttyS0 priority=low
  initrd /initrd.gz
}
`;
/**
 * Drivers of the installer's, for hardware that is not there: two thirds of its initrd, which SeaBIOS reads for GRUB block by
 * block, with some ten exits for each.
 */
const LEFT_OUT = /^usr\/lib\/modules\//;
const BOOT_IMAGE = "boot/grub/eltorito.img";
/** As grub-mkrescue(1) has it: no emulated floppy, four sectors to start with, and where the rest is patched into them. */
const ISO_OPTIONS = [
  ...["-quiet", "-V", "INSTALLER", "-b", BOOT_IMAGE, "-no-emul-boot"],
  ...["-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info"],
];

/** The CDs, made first if they are not in the cache. Nobody may write to them. @throws TestbedError */
export async function bootCds(log: Log = () => undefined): Promise<BootCds> {
  const directory = await cached(`cd-${recipeHash()}`, async (partial) => {
    log("testbed: making bootable CDs (once; half a minute)");
    const tree = join(partial, "tree");
    await buildDebianTree({ suite: SUITE, variant: "extract", packages: PACKAGES, hooks: EXTRACT_HOOKS }, tree, {
      log,
    });
    await makeInstallerCd(tree, partial);
    await copyFile(join(tree, RESCUE), join(partial, "rescue.iso"));
    await rm(tree, { recursive: true });
  });
  return { installer: join(directory, "installer.iso"), rescue: join(directory, "rescue.iso") };
}

function recipeHash(): string {
  const tree = [SUITE, PACKAGES, EXTRACT_HOOKS, APT_OPTIONS, DPKG_OPTIONS, INSTALLER, RESCUE];
  const iso = [GRUB_PREFIX, GRUB_MODULES, GRUB_CONFIG, SERIAL_TERMINAL, LEFT_OUT.source, ISO_OPTIONS];
  return createHash("sha256")
    .update(JSON.stringify([tree, iso]))
    .digest("hex")
    .slice(0, 16);
}

async function makeInstallerCd(tree: string, directory: string): Promise<void> {
  const content = join(directory, "content");
  await mkdir(join(content, "boot/grub"), { recursive: true });
  const grub = { format: "i386-pc-eltorito", prefix: GRUB_PREFIX, modules: GRUB_MODULES } as const;
  await writeFile(join(content, BOOT_IMAGE), await grubImage(tree, grub));
  await writeFile(join(content, "boot/grub/grub.cfg"), GRUB_CONFIG);
  await rename(join(tree, INSTALLER, "linux"), join(content, "linux"));
  const initrd = gunzipSync(await readFile(join(tree, INSTALLER, "initrd.gz")));
  await writeFile(join(content, "initrd.gz"), gzipSync(cpioWithout(initrd, LEFT_OUT), { level: 9 }));
  const output = join(directory, "installer.iso");
  const xorriso = hostTool({ root: tree }, "usr/bin/xorriso", [
    ...["-as", "mkisofs", ...ISO_OPTIONS, "-o", output, content],
  ]);
  await runHost(xorriso.file, xorriso.args);
  await rm(content, { recursive: true });
}
