/** GRUB as the kernel of a PVH guest: from its package, which has all its modules in one ELF file, and kept in the cache. */
import { createHash } from "node:crypto";
import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "./cache.js";
import { APT_OPTIONS, buildDebianTree, DPKG_OPTIONS } from "./debian-tree.js";
import type { Log } from "./host-command.js";

const SUITE = "trixie";
const PACKAGES = ["grub-xen-host"];
const IMAGE = "usr/lib/grub-xen/grub-i386-xen_pvh.bin";

/** Its host path. It looks for /boot/grub/grub.cfg on the PV disks. @throws TestbedError when it cannot be had */
export async function pvhGrub(log: Log = () => undefined): Promise<string> {
  const recipe = createHash("sha256").update(JSON.stringify([SUITE, PACKAGES, APT_OPTIONS, DPKG_OPTIONS, IMAGE]));
  const directory = await cached(`pvh-grub-${recipe.digest("hex").slice(0, 16)}`, async (partial) => {
    log("testbed: fetching GRUB for PVH guests (once; a few seconds)");
    const tree = join(partial, "tree");
    await buildDebianTree({ suite: SUITE, variant: "extract", packages: PACKAGES, hooks: [] }, tree, { log });
    await copyFile(join(tree, IMAGE), join(partial, "grub.elf"));
    await rm(tree, { recursive: true });
  });
  return join(directory, "grub.elf");
}
