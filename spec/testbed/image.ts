/**
 * The testbed's userland: a Debian tree in the cache, the root file system of the emulated machine (over virtio-fs, so there is
 * no disk image), and the place where tools for the host come from (see host-tool.ts).
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cached, projectDirectory } from "./cache.js";
import { APT_OPTIONS, buildDebianTree, DPKG_OPTIONS } from "./debian-tree.js";
import { TestbedError } from "./errors.js";
import type { Log } from "./host-command.js";

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

/** QEMU 10 as the peer, and Linux 6.12: bookworm's kernel lacks CONFIG_KVM_XEN. */
const SUITE = "trixie";
const PACKAGES = [
  "linux-image-cloud-amd64",
  "kmod",
  "busybox-static",
  "nodejs",
  "python3-minimal",
  "git",
  // The peer
  "qemu-system-x86",
  "seabios",
  "virtiofsd",
  // To build test guests and their disks
  "gcc",
  "libc6-dev",
  "make",
  "e2fsprogs",
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
/** Init of the machine, as the kernel must be told. */
export const INIT_PATH = "/usr/local/sbin/testbed-init";

/** The image, built first if it is not in the cache. @throws TestbedError when it is not and cannot be built. */
export async function ensureImage(log: Log): Promise<Image> {
  const sources = join(await projectDirectory(), "spec", "testbed", "guest");
  const name = `image-${await recipeHash(sources)}`;
  const directory = await cached(name, async (partial) => {
    log(`testbed: building its Debian ${SUITE} (once; about a minute)`);
    const hooks = HOOKS.map((command) => ({ when: "customize", command }) as const);
    const tree = { suite: SUITE, variant: "minbase", packages: PACKAGES, hooks } as const;
    await buildDebianTree(tree, join(partial, "root"), { cwd: sources, log });
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

async function findKernel(boot: string): Promise<string> {
  const kernel = (await readdir(boot)).find((name) => name.startsWith("vmlinuz-"));
  if (kernel === undefined) throw new TestbedError(`There is no kernel in ${boot}`);
  return join(boot, kernel);
}
