/**
 * The testbed's userland: a Debian tree in the cache, the root file system of the emulated machine (over virtio-fs, so there is
 * no disk image), and the place where its QEMU and other tools come from (see host-tool.ts).
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached, cacheDirectory, exists, projectDirectory } from "./cache.js";
import { TestbedError } from "./errors.js";
import { DEBIAN_KEYRING, type Log, isRoot, requireBuildPackages, runHost } from "./host-command.js";

/** A testbed's userland, complete and never changed. */
export interface Image {
  /** The Debian tree, on the host. */
  readonly root: string;
  /** The machine's kernel, on the host. */
  readonly vmlinuz: string;
}

/** Shares of the host that a machine may mount, each at the directory of its name. */
export const MOUNT_POINTS = ["xenolith", "share", "kernels"] as const;
export type MountPoint = (typeof MOUNT_POINTS)[number];

/** QEMU 10 and Linux 6.12. Bookworm has neither: its kernel lacks CONFIG_KVM_XEN, its QEMU emulates cmpxchg16b wrongly. */
const SUITE = "trixie";
const PACKAGES = [
  "linux-image-cloud-amd64",
  "kmod",
  "busybox-static",
  "nodejs",
  "python3-minimal",
  "git",
  // The peer, which also emulates the machine itself
  "qemu-system-x86",
  "seabios",
  "virtiofsd",
  // To build test guests and their disks
  "gcc",
  "libc6-dev",
  "make",
  "e2fsprogs",
];
const APT_OPTIONS = ['APT::Install-Recommends "false"', 'Acquire::Languages "none"', 'Acquire::Retries "3"'];
/** Nobody reads manuals here, and a tree that is lost in a power failure is built again. */
const DPKG_OPTIONS = [
  "path-exclude=/usr/share/doc/*",
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/locale/*",
  "force-unsafe-io",
];
/** Installed into the tree from spec/testbed/guest. */
const AGENT_SOURCE = "agent.c";
const INIT_SCRIPT = "init.sh";
/** Hooks that mmdebstrap runs in a shell, with the tree as $1. */
const HOOKS = [
  `mkdir ${MOUNT_POINTS.map((name) => `"$1/${name}"`).join(" ")}`,
  `install -m 0755 ${INIT_SCRIPT} "$1/usr/local/sbin/testbed-init"`,
  `cp ${AGENT_SOURCE} "$1/tmp/${AGENT_SOURCE}"`,
  `chroot "$1" gcc -O2 -static -o /usr/local/sbin/testbed-agent /tmp/${AGENT_SOURCE}`,
  `rm "$1/tmp/${AGENT_SOURCE}"`,
];
/** What apt was told about fetching on this host is true for our builds, too: proxies, clocks that are wrong. */
const INHERITED_APT_OPTION = /^Acquire::(https?::|ftp::|Check-|ForceIPv)/;

/** Init of the machine, as the kernel must be told. */
export const INIT_PATH = "/usr/local/sbin/testbed-init";

/** The image, built first if it is not in the cache. @throws TestbedError when it is not and cannot be built. */
export async function ensureImage(log: Log): Promise<Image> {
  const sources = join(await projectDirectory(), "spec", "testbed", "guest");
  const name = `image-${await recipeHash(sources)}`;
  const directory = await cached(name, async (partial) => {
    await requireBuildPackages(log, exists);
    if (!isRoot()) throw new TestbedError(howToBuildAsRoot());
    log(`testbed: building its Debian ${SUITE} (once; about a minute)`);
    await buildTree(join(partial, "root"), sources);
  });
  const root = join(directory, "root");
  return { root, vmlinuz: await findKernel(join(root, "boot")) };
}

async function recipeHash(sources: string): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([SUITE, PACKAGES, APT_OPTIONS, DPKG_OPTIONS, HOOKS]));
  for (const file of [AGENT_SOURCE, INIT_SCRIPT]) hash.update(await readFile(join(sources, file)));
  return hash.digest("hex").slice(0, 16);
}

async function buildTree(root: string, sources: string): Promise<void> {
  const { mirror, aptOptions } = await hostApt();
  await mkdir(root);
  await runHost(
    "mmdebstrap",
    [
      "--mode=root",
      "--variant=minbase",
      "--architectures=amd64",
      `--keyring=${DEBIAN_KEYRING}`,
      ...[...APT_OPTIONS, ...aptOptions].map((option) => `--aptopt=${option}`),
      ...DPKG_OPTIONS.map((option) => `--dpkgopt=${option}`),
      `--include=${PACKAGES.join(",")}`,
      ...HOOKS.map((hook) => `--customize-hook=${hook}`),
      SUITE,
      root,
      ...mirror,
    ],
    { cwd: sources },
  );
}

/** How the host's apt fetches. The mirror is empty on a host that is not Debian: mmdebstrap then uses Debian's own. */
async function hostApt(): Promise<{ mirror: string[]; aptOptions: string[] }> {
  const targets = await runHost("apt-get", [
    "indextargets",
    "--format",
    "$(ORIGIN) $(LABEL) $(REPO_URI)",
    "Created-By: Packages",
  ]);
  const debian = /^Debian Debian (\S+)$/m.exec(targets.toString())?.[1];
  const dump = await runHost("apt-config", ["dump"]);
  const aptOptions = dump
    .toString()
    .split("\n")
    .filter((line) => INHERITED_APT_OPTION.test(line) && !line.endsWith('"";'))
    .map((line) => line.replace(/;$/, ""));
  return { mirror: debian === undefined ? [] : [debian], aptOptions };
}

function howToBuildAsRoot(): string {
  const command = [process.execPath, fileURLToPath(new URL("main.js", import.meta.url)), "--build"].join(" ");
  return `The testbed is not built yet, and building needs root. Run:\n\n  sudo XENOLITH_TESTBED_CACHE=${cacheDirectory()} ${command}\n`;
}

async function findKernel(boot: string): Promise<string> {
  const kernel = (await readdir(boot)).find((name) => name.startsWith("vmlinuz-"));
  if (kernel === undefined) throw new TestbedError(`There is no kernel in ${boot}`);
  return join(boot, kernel);
}
